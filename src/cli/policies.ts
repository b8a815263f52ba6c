import { policyFor, policyText, ROLES, type Role, type Scope } from '../dynamodb/policies.js';
import type { TableNames } from '../dynamodb/table.js';

export interface PrintPolicy {
  readonly role: Role;
  readonly scope: Scope;
  readonly tables: TableNames;
  readonly account?: string;
  readonly region?: string;
}

export function printPolicy({ role, ...options }: PrintPolicy, print: (text: string) => void): void {
  print(policyText(policyFor(role, options)));
}

export function roleNamed(name: string | undefined): Role | undefined {
  return ROLES.find((role) => role === name);
}

/** Undefined when more than one is asked for. A relay follows the events of all tenants, so it is given none. */
export function scopeOf(
  role: Role,
  tenant: string | undefined,
  tag: string | undefined,
  allTenants: boolean,
): Scope | undefined {
  const scopes: Scope[] = [];
  if (tenant !== undefined) scopes.push({ kind: 'tenant', tenantId: tenant });
  if (tag !== undefined) scopes.push({ kind: 'tenant-tag', tag });
  if (allTenants) scopes.push({ kind: 'all-tenants' });
  if (scopes.length > (role === 'relay' ? 0 : 1)) return undefined;
  return scopes[0] ?? { kind: role === 'relay' ? 'all-tenants' : 'no-tenant' };
}
