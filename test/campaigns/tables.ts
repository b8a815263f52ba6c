import { randomUUID } from 'node:crypto';
import {
  DeleteTableCommand,
  DynamoDBClient,
  UpdateTableCommand,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb';
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

/** New tables, for one campaign. */
export async function createTables(endpoint: string): Promise<CampaignTables> {
  const id = randomUUID();
  const names = { events: `campaign-events-${id}`, bookkeeping: `campaign-bookkeeping-${id}` };
  const client = clientFor(endpoint);
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
