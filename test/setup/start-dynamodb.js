import { dynamoDbEndpoint } from '../../.build/scripts/dynamodb-local.js';

/**
 * Starts a DynamoDB Local for each worker of the run, as one does one thing at a time and remembers all that it did; the
 * test files find theirs by the environment. A DynamoDB that is given is there for all.
 */
export default async function startDynamoDb({ maxWorkers }) {
  const count = process.env.DYNAMODB_ENDPOINT ? 1 : maxWorkers;
  globalThis.startedDynamoDbs = await Promise.all(Array.from({ length: count }, () => dynamoDbEndpoint()));
  const endpoints = globalThis.startedDynamoDbs.map(({ endpoint }) => endpoint);
  process.env.DYNAMODB_ENDPOINT = endpoints[0];
  process.env.DYNAMODB_ENDPOINTS = endpoints.join(' ');
}
