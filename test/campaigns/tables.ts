import { randomUUID } from 'node:crypto';
import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  waitUntilTableExists,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb';
import { createTableInput, tableDefinitions, type TableDefinition } from '../../src/dynamodb/table.js';
import { provisionTables, type TableNames } from '../../src/index.js';

/** DynamoDB Local takes any credentials, AWS those of the environment. */
export function clientConfigFor(endpoint: string): DynamoDBClientConfig {
  return endpoint.startsWith('http:')
    ? { endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }
    : { endpoint };
}

export function clientFor(endpoint: string, config: DynamoDBClientConfig = {}): DynamoDBClient {
  return new DynamoDBClient({ ...clientConfigFor(endpoint), ...config });
}

export interface CampaignTables {
  readonly names: TableNames;
  /** Deletes the tables. */
  drop(): Promise<void>;
}

/**
 * Without a stream, which no campaign reads, and whose records make DynamoDB Local slow; without protection, as AWS would
 * not delete a table at once whose protection was just taken away.
 */
async function createFleeting(client: DynamoDBClient, table: TableDefinition): Promise<void> {
  const { StreamSpecification: _, ...input } = createTableInput(table);
  await client.send(new CreateTableCommand({ ...input, DeletionProtectionEnabled: false }));
}

/** New tables, for one campaign. */
export async function createTables(endpoint: string): Promise<CampaignTables> {
  const id = randomUUID();
  const names = { events: `campaign-events-${id}`, bookkeeping: `campaign-bookkeeping-${id}` };
  const client = clientFor(endpoint);
  for (const table of tableDefinitions(names)) await createFleeting(client, table);
  await provisionTables(client, names);
  return {
    names,
    drop: async () => {
      for (const TableName of Object.values(names)) {
        await client.send(new DeleteTableCommand({ TableName }));
      }
      client.destroy();
    },
  };
}

/** How long AWS may take to make a table, in seconds. */
const PATIENCE_S = 120;

/** A table for a view, whose items have an `id`. */
export async function createViewTable(client: DynamoDBClient, TableName: string): Promise<string> {
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
  await waitUntilTableExists({ client, maxWaitTime: PATIENCE_S }, { TableName });
  return TableName;
}
