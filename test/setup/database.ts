import { randomUUID } from 'node:crypto';
import {
  DeleteTableCommand,
  DynamoDBClient,
  UpdateTableCommand,
  type QueryCommandInput,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb';
import { afterAll, expect } from '@jest/globals';
import { policyFor, type PolicyDocument, type Scope } from '../../src/dynamodb/policies.js';
import type { TableNames } from '../../src/index.js';
import { guard, isAllowed, tableArn, type Access } from './access.js';

/** The DynamoDB of this test run. */
export function clientConfig(): DynamoDBClientConfig {
  return {
    endpoint: process.env.DYNAMODB_ENDPOINT!,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
}

/** A client that may do what the policies of a writer, a reader and an operator together allow, and nothing else. */
export function newClient(config: DynamoDBClientConfig = {}): DynamoDBClient {
  const client = breakGlassClient(config);
  watched.push(guard(client, isInPolicies));
  noteStaleReads(client);
  return client;
}

const staleReads: object[] = [];

// DynamoDB Local never shows what is old, whether it is asked for that or not. Only an index can be read no other way.
function noteStaleReads(client: DynamoDBClient): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const { IndexName, ConsistentRead } = args.input as Partial<QueryCommandInput>;
        if (commandName === 'QueryCommand' && !IndexName && !ConsistentRead) staleReads.push(args.input);
        return next(args);
      },
    { step: 'serialize', name: 'staleReads' },
  );
}

afterAll(() => expect(staleReads).toEqual([]));

/** A client that may do anything, for tests that damage tables or look at all of them. */
export function breakGlassClient(config: DynamoDBClientConfig = {}): DynamoDBClient {
  return new DynamoDBClient({ ...clientConfig(), ...config });
}

const watched: ReturnType<typeof guard>[] = [];

// Some refusals are no error to the package, as that of a snapshot; here they are.
afterAll(() => expect(watched.flatMap(({ refused }) => refused)).toEqual([]));

const newTables: TableNames[] = [];

// DynamoDB Local becomes slower with each table.
afterAll(async () => {
  const client = breakGlassClient();
  const names = newTables.flatMap(({ events, bookkeeping }) => [events, bookkeeping]);
  const remove = async (TableName: string) => {
    await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }));
    await client.send(new DeleteTableCommand({ TableName }));
  };
  // Some tests only name tables, or delete them themselves.
  for (let name = names.pop(); name !== undefined; name = names.pop()) await remove(name).catch(() => {});
  client.destroy();
}, 60_000);

/** Tables that no other test file uses. */
export function newTableNames(): TableNames {
  const id = randomUUID();
  const tables = { events: `events-${id}`, bookkeeping: `bookkeeping-${id}` };
  newTables.push(tables);
  return tables;
}

const policies = new Map<string, readonly PolicyDocument[]>();

/** By the policies of streams without a tenant, or of the tenant whose key it names. */
function isInPolicies(access: Access): boolean {
  const tables = newTables.find(({ events, bookkeeping }) =>
    [events, bookkeeping].some((name) => `${access.resource}/`.startsWith(`${tableArn(name)}/`)),
  );
  if (!tables) return false;
  const [tenant] = access.leadingKeys?.[0]?.split('#') ?? [];
  const scopes: Scope[] = [{ kind: 'no-tenant' }];
  if (tenant) scopes.push({ kind: 'tenant', tenantId: decodeURIComponent(tenant.replace(/%(?!23|25)/g, '%25')) });
  return scopes.some((scope) => {
    const name = JSON.stringify([tables, scope]);
    const known = policies.get(name);
    const documents =
      known ?? (['writer', 'reader', 'operator'] as const).map((role) => policyFor(role, { tables, scope }));
    if (!known) policies.set(name, documents);
    return isAllowed(documents, access);
  });
}

/** Names of the requests a client sends from now on, each attempt counted. */
export function recordRequests(client: DynamoDBClient): string[] {
  const requests: string[] = [];
  client.middlewareStack.add(
    (next, context) => (args) => {
      requests.push((context as { commandName?: string }).commandName!.replace(/Command$/, ''));
      return next(args);
    },
    { step: 'deserialize', priority: 'low', name: 'recordRequests' },
  );
  return requests;
}
