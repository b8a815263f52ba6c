import { tenantKey } from '../event/stream-id.js';
import { bookkeepingTable, eventsTable, TENANT_INDEX, type TableDefinition, type TableNames } from './table.js';

/** What a process does with the tables; one that does several things gets several policies. */
export const ROLES = ['writer', 'reader', 'relay', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** Whose data: of one tenant, of the tenant that the session is tagged with, of no tenant, or all of it. */
export type Scope =
  | { readonly kind: 'tenant'; readonly tenantId: string }
  | { readonly kind: 'tenant-tag'; readonly tag: string }
  | { readonly kind: 'no-tenant' }
  | { readonly kind: 'all-tenants' };

export interface PolicyOptions {
  readonly tables: TableNames;
  readonly scope: Scope;
  /** Any account when there is none; likewise any region. */
  readonly account?: string;
  readonly region?: string;
}

export type Condition = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Condition;
}

/** An identity-based policy of AWS IAM. */
export interface PolicyDocument {
  readonly Version: '2012-10-17';
  readonly Statement: readonly PolicyStatement[];
}

const LEADING_KEYS = 'dynamodb:LeadingKeys';

/** Keys without a tenant have an empty first part. */
const NO_TENANT = '#*';

/** Processes, leases, states and parked events of subscriptions; and positions in the streams of every tenant. */
const SUBSCRIPTION_KEYS = ['#workers', '#subscription#*', '#control#*', '#parked#*', '*#position#*'];

/** What STS takes as the name of a session tag (AWS STS API Reference, "Tag"). */
const TAG_NAME = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;

/** @throws InvalidStreamIdError, RangeError when there can be no such tenant, or no such tag */
export function policyFor(role: Role, options: PolicyOptions): PolicyDocument {
  return { Version: '2012-10-17', Statement: STATEMENTS[role](new Resources(options), options.scope) };
}

/** IAM takes characters up to U+00FF only; JSON can write all others with those. */
export function policyText(policy: PolicyDocument): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(policy, undefined, 2).replace(/[^\n -~]/g, escaped);
}

const STATEMENTS: Readonly<Record<Role, (resources: Resources, scope: Scope) => readonly PolicyStatement[]>> = {
  writer: ({ events, bookkeeping }, scope) => [
    allow('ReadAndAppendEvents', ['Query', 'PutItem'], [events.arn], keysOf(scope)),
    allow('KeepRecordsAndUniqueValues', ['Query', 'PutItem', 'DeleteItem'], [bookkeeping.arn], keysOf(scope)),
    allow('CheckTables', ['DescribeTable'], [events.arn, bookkeeping.arn]),
  ],
  reader: ({ events, bookkeeping }, scope) => [
    allow('ReadEvents', ['Query'], [events.arn, ...events.indexes(true, scope)], keysOf(scope)),
    ...(scope.kind === 'no-tenant' || scope.kind === 'all-tenants'
      ? [allow('QueryByType', ['Query'], events.indexes(false, scope))]
      : []),
    allow('CheckTables', ['DescribeTable'], [events.arn, bookkeeping.arn]),
  ],
  relay: ({ events, bookkeeping }) => [
    allow('FollowFeed', ['Query'], events.indexes(false, { kind: 'all-tenants' })),
    allow('ReadMissingVersions', ['Query'], [events.arn]),
    allow('FollowStream', ['DescribeStream', 'GetShardIterator', 'GetRecords'], [`${events.arn}/stream/*`]),
    allow('KeepCheckpoints', ['Query', 'PutItem', 'DeleteItem'], [bookkeeping.arn], leadingKeys(...SUBSCRIPTION_KEYS)),
    allow('CheckTables', ['DescribeTable'], [events.arn, bookkeeping.arn]),
  ],
  operator: ({ events, bookkeeping }, scope) => [
    allow(
      'ProvisionTables',
      ['CreateTable', 'DescribeTable', 'DescribeContinuousBackups', 'UpdateContinuousBackups'],
      [events.arn, bookkeeping.arn],
    ),
    allow(
      'EnableExpiry',
      ['DescribeTimeToLive', 'UpdateTimeToLive'],
      [events, bookkeeping].filter(({ table }) => table.expires).map(({ arn }) => arn),
    ),
    allow('SettleOutcomes', ['Query'], [events.arn, bookkeeping.arn], keysOf(scope)),
  ],
};

function allow(
  Sid: string,
  actions: readonly string[],
  Resource: readonly string[],
  condition?: Condition,
): PolicyStatement {
  const Action = actions.map((action) => `dynamodb:${action}`);
  return { Sid, Effect: 'Allow', Action, Resource, ...(condition && { Condition: condition }) };
}

/** Limits a statement to the keys of a scope. */
function keysOf(scope: Scope): Condition | undefined {
  switch (scope.kind) {
    case 'all-tenants':
      return undefined;
    case 'no-tenant':
      return leadingKeys(NO_TENANT);
    case 'tenant':
      return leadingKeys(`${literal(tenantKey(scope.tenantId))}#*`);
    case 'tenant-tag': {
      if (!TAG_NAME.test(scope.tag)) {
        throw new RangeError('The name of a session tag is made of 1 to 128 letters, digits, spaces and _.:/=+-@.');
      }
      const tag = `aws:PrincipalTag/${scope.tag}`;
      // An empty tag would make a pattern of the keys without a tenant.
      return { ...leadingKeys(`\${${tag}}#*`), StringLike: { [tag]: '?*' } };
    }
  }
}

/** `ForAllValues` is true of a request that has no such keys, as a Scan; `Null` refuses that. */
function leadingKeys(...patterns: readonly string[]): Condition {
  return {
    'ForAllValues:StringLike': { [LEADING_KEYS]: patterns },
    Null: { [LEADING_KEYS]: 'false' },
  };
}

/** What IAM would take for a wildcard or a variable, as itself. */
function literal(text: string): string {
  return text.replace(/[*?$]/g, (character) => `\${${character}}`);
}

class Resources {
  readonly events: TableResource;
  readonly bookkeeping: TableResource;

  constructor({ tables, account = '*', region = '*' }: PolicyOptions) {
    const prefix = `arn:${partitionOf(region)}:dynamodb:${region}:${account}:table/`;
    this.events = new TableResource(prefix, eventsTable(tables.events));
    this.bookkeeping = new TableResource(prefix, bookkeepingTable(tables.bookkeeping));
  }
}

class TableResource {
  readonly arn: string;

  constructor(
    prefix: string,
    readonly table: TableDefinition,
  ) {
    this.arn = `${prefix}${literal(table.tableName)}`;
  }

  /** Indexes whose key begins with the tenant or not, and which hold something of the scope. */
  indexes(tenantFirst: boolean, scope: Scope): readonly string[] {
    return this.table.indexes
      .filter((index) => index.tenantFirst === tenantFirst)
      .filter(({ name }) => scope.kind !== 'no-tenant' || name !== TENANT_INDEX.name)
      .map(({ name }) => `${this.arn}/index/${name}`);
  }
}

/** AWS in China and for the US government have names of their own in ARNs. */
function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
