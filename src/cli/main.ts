#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { createTables, type CreateTables } from './create-tables.js';
import { printPolicy, roleNamed, scopeOf, type PrintPolicy } from './policies.js';

const USAGE = `Usage: nestjs-dynamodb-event-store create-tables --events NAME --bookkeeping NAME [--endpoint URL] [--region REGION]
       nestjs-dynamodb-event-store policies --role writer|reader|relay|operator --events NAME --bookkeeping NAME
         [--tenant ID | --tenant-tag NAME | --all-tenants] [--account ID] [--region REGION]

create-tables creates the two tables that are missing: on-demand capacity, streams on events, expiry on bookkeeping,
point-in-time recovery and deletion protection. Safe to run again. Region and credentials come from the
environment or the profile, as for every AWS SDK; the endpoint from --endpoint or DYNAMODB_ENDPOINT.

policies prints the IAM policy of a role, and sends no request. It is for streams without a tenant, unless one is
named, or the session tag that names one, or all are meant; a relay always reads all tenants.`;

type Call =
  | { readonly command: 'create-tables'; readonly options: CreateTables }
  | { readonly command: 'policies'; readonly options: PrintPolicy };

async function main(): Promise<number> {
  const parsed = parse();
  if (parsed === 'help') {
    console.log(USAGE);
    return 0;
  }
  if (!parsed) {
    console.error(USAGE);
    return 2;
  }
  try {
    const print = (text: string) => console.log(text);
    if (parsed.command === 'policies') printPolicy(parsed.options, print);
    else await createTables(parsed.options, print);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    return 1;
  }
}

const COMMON_OPTIONS = {
  events: { type: 'string' },
  bookkeeping: { type: 'string' },
  region: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

function parse(): Call | 'help' | undefined {
  try {
    const [command, ...args] = process.argv.slice(2);
    if (command === 'create-tables') return parseCreateTables(args);
    if (command === 'policies') return parsePolicies(args);
    return parseArgs({ options: COMMON_OPTIONS }).values.help ? 'help' : undefined;
  } catch {
    return undefined;
  }
}

function parseCreateTables(args: string[]): Call | 'help' | undefined {
  const { values } = parseArgs({ args, options: { ...COMMON_OPTIONS, endpoint: { type: 'string' } } });
  if (values.help) return 'help';
  const { events, bookkeeping, endpoint = process.env.DYNAMODB_ENDPOINT, region } = values;
  if (!events || !bookkeeping) return undefined;
  const options = { tables: { events, bookkeeping }, ...(endpoint && { endpoint }), ...(region && { region }) };
  return { command: 'create-tables', options };
}

function parsePolicies(args: string[]): Call | 'help' | undefined {
  const { values } = parseArgs({
    args,
    options: {
      ...COMMON_OPTIONS,
      role: { type: 'string' },
      tenant: { type: 'string' },
      'tenant-tag': { type: 'string' },
      'all-tenants': { type: 'boolean', default: false },
      account: { type: 'string' },
    },
  });
  if (values.help) return 'help';
  const { events, bookkeeping, account, region } = values;
  const role = roleNamed(values.role);
  const scope = role && scopeOf(role, values.tenant, values['tenant-tag'], values['all-tenants']);
  if (!events || !bookkeeping || !scope) return undefined;
  const place = { ...(account && { account }), ...(region && { region }) };
  return { command: 'policies', options: { role, scope, tables: { events, bookkeeping }, ...place } };
}

void main().then((exitCode) => {
  process.exitCode = exitCode;
});
