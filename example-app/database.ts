import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { EventStoreModuleOptions } from 'nestjs-dynamodb-event-store';
import { dynamoDbEndpoint, JavaMissingError } from '../scripts/dynamodb-local.js';
import type { AccountViewDatabase } from './bank/account-view-tables.js';

/** Where the application keeps its events and its views of accounts. */
export interface Database {
  /** For `EventStoreModule.forRoot`. */
  readonly options: EventStoreModuleOptions;
  /** Where balances and statements are kept; none without DynamoDB. */
  readonly accountViews: AccountViewDatabase | undefined;
  /** One sentence for the person who started the application. */
  readonly description: string;
  /** Closes the connection, and ends DynamoDB Local if it was started for this application. */
  stop(): Promise<void>;
}

/**
 * The DynamoDB that DYNAMODB_ENDPOINT names, or a DynamoDB Local of its own. Without Java there is no DynamoDB Local,
 * and the events stay in the memory of this process.
 */
export async function openDatabase(tablePrefix: string): Promise<Database> {
  try {
    const { endpoint, stop } = await dynamoDbEndpoint();
    const tables = { events: `${tablePrefix}-events`, bookkeeping: `${tablePrefix}-bookkeeping` };
    const views = { balances: `${tablePrefix}-account-balances`, statements: `${tablePrefix}-account-statements` };
    // The event store and the views share one client.
    const client = new DynamoDBClient(clientConfig(endpoint));
    return {
      options: { tables, client, provision: true },
      accountViews: { client, tables: views },
      description: `Events are kept in DynamoDB at ${endpoint}, tables ${tables.events} and ${tables.bookkeeping}.`,
      stop: async () => {
        client.destroy();
        await stop();
      },
    };
  } catch (error) {
    if (!(error instanceof JavaMissingError)) throw error;
    return {
      options: { storage: 'memory' },
      accountViews: undefined,
      description:
        `${error.message}\nUntil then, events are kept in memory (storage: 'memory') and are gone when this process ends.` +
        ' Balances and statements, which are kept in tables of DynamoDB, are missing.',
      stop: async () => {},
    };
  }
}

/** DynamoDB Local takes any region and credentials, but the client wants some. Those of the environment come first. */
function clientConfig(endpoint: string): DynamoDBClientConfig {
  const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_PROFILE } = process.env;
  return {
    endpoint,
    region: AWS_REGION ?? 'us-east-1',
    ...(!AWS_ACCESS_KEY_ID && !AWS_PROFILE && { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }),
  };
}
