// The DynamoDB Local of this worker, where there are several.
const { JEST_WORKER_ID, DYNAMODB_ENDPOINTS = '' } = process.env;
const own = DYNAMODB_ENDPOINTS.split(' ')[Number(JEST_WORKER_ID) - 1];
if (own) process.env.DYNAMODB_ENDPOINT = own;
