import { once } from 'node:events';
import { JavaMissingError, startDynamoDbLocal } from './dynamodb-local.js';

const configured = process.env.DYNAMODB_ENDPOINT;
if (configured) {
  console.log(`DYNAMODB_ENDPOINT is set to ${configured}: nothing needs to be started.`);
} else {
  try {
    await runUntilSignal();
  } catch (error) {
    if (!(error instanceof JavaMissingError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

async function runUntilSignal(): Promise<void> {
  const dynamoDb = await startDynamoDbLocal();
  const signalled = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  console.log(`DynamoDB Local answers at ${dynamoDb.endpoint}

To use it:
  export DYNAMODB_ENDPOINT=${dynamoDb.endpoint}
  export AWS_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=local
  export AWS_SECRET_ACCESS_KEY=local

Ctrl+C ends it.`);

  // Neither DynamoDB Local nor waiting for a signal keeps Node running.
  const keepAlive = setInterval(() => {}, 60_000);
  await signalled;
  clearInterval(keepAlive);
  await dynamoDb.stop();
}
