import { randomUUID } from 'node:crypto';
import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  UpdateTableCommand,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb';
import { createTableInput, eventsTable } from '../../src/dynamodb/table.js';
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

/** DynamoDB Local gets slow with each record of a stream, which no campaign reads. */
async function createWithoutStream(client: DynamoDBClient, tableName: string): Promise<void> {
  const { StreamSpecification: _, ...input } = createTableInput(eventsTable(tableName));
  await client.send(new CreateTableCommand(input));
}

/** New tables, for one campaign. */
export async function createTables(endpoint: string): Promise<CampaignTables> {
  const id = randomUUID();
  const names = { events: `campaign-events-${id}`, bookkeeping: `campaign-bookkeeping-${id}` };
  const client = clientFor(endpoint);
  await createWithoutStream(client, names.events);
  await provisionTables(client, names);
  return {
    names,
    drop: async () => {
      for (const TableName of Object.values(names)) {
        await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }));
        await client.send(new DeleteTableCommand({ TableName }));
      }
      client.destroy();
    },
  };
}
