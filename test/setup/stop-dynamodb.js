export default async function stopDynamoDb() {
  await Promise.all((globalThis.startedDynamoDbs ?? []).map((started) => started.stop()));
}
