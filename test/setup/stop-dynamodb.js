export default async function stopDynamoDb() {
  await globalThis.startedDynamoDb?.stop();
}
