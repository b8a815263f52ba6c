import { dynamoDbEndpoint } from '../../.build/scripts/dynamodb-local.js';

/** Starts DynamoDB Local once for the whole run; the test files find it by the environment. */
export default async function startDynamoDb() {
  const started = await dynamoDbEndpoint();
  process.env.DYNAMODB_ENDPOINT = started.endpoint;
  globalThis.startedDynamoDb = started;
}
