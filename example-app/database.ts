import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { EventStoreModuleOptions } from 'nestjs-dynamodb-event-store';
import { dynamoDbEndpoint, JavaMissingError } from '../scripts/dynamodb-local.js';

/** Where the application keeps its events. */
export interface Database {
  /** For `EventStoreModule.forRoot`. */
  readonly options: EventStoreModuleOptions;
  /** One sentence for the person who started the application. */
  readonly description: string;
  /** Ends DynamoDB Local, if it was started for this application. */
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
    return {
      options: { tables, clientConfig: clientConfig(endpoint), provision: true },
      description: `Events are kept in DynamoDB at ${endpoint}, tables ${tables.events} and ${tables.bookkeeping}.`,
      stop,
    };
  } catch (error) {
    if (!(error instanceof JavaMissingError)) throw error;
    return {
      options: { storage: 'memory' },
      description: `${error.message}\nUntil then, events are kept in memory (storage: 'memory') and are gone when this process ends.`,
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
