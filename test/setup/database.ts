import { randomUUID } from 'node:crypto';
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { TableNames } from '../../src/index.js';

/** The DynamoDB of this test run. */
export function clientConfig(): DynamoDBClientConfig {
  return {
    endpoint: process.env.DYNAMODB_ENDPOINT!,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
}

export function newClient(config: DynamoDBClientConfig = {}): DynamoDBClient {
  return new DynamoDBClient({ ...clientConfig(), ...config });
}

/** Tables that no other test file uses. */
export function newTableNames(): TableNames {
  const id = randomUUID();
  return { events: `events-${id}`, bookkeeping: `bookkeeping-${id}` };
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
