// Loaded before each process that runs tests: it has a DynamoDB Local of its own, which ends with it. One for the whole
// run would be too slow after some minutes, as it remembers all that it did.
import { dynamoDbEndpoint } from '../../.build/scripts/dynamodb-local.js';

process.env.JAVA_TOOL_OPTIONS ??= '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';
const { endpoint } = await dynamoDbEndpoint();
process.env.DYNAMODB_ENDPOINT = endpoint;
