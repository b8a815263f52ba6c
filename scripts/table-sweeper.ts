import { DeleteTableCommand, DynamoDBClient, paginateListTables, UpdateTableCommand } from '@aws-sdk/client-dynamodb';

const SWEEP_EVERY_MS = 30_000;

/** No test that makes tables of its own needs them for longer. */
const KEPT_MS = 240_000;

/**
 * Deletes the tables that tests left behind, until it is stopped: DynamoDB Local becomes slower with each table, and runs
 * that last hours make thousands. Only for a DynamoDB Local of one's own.
 */
export function sweepTables(endpoint: string): () => void {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new DynamoDBClient({ endpoint, region: 'eu-central-1', credentials });
  const seenAt = new Map<string, number>();
  let sweeping = false;

  async function sweep(): Promise<void> {
    const now = performance.now();
    for await (const { TableNames = [] } of paginateListTables({ client }, {})) {
      for (const TableName of TableNames) {
        const since = seenAt.get(TableName);
        if (since === undefined) seenAt.set(TableName, now);
        if (since === undefined || now - since < KEPT_MS) continue;
        await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false })).catch(() => {});
        await client.send(new DeleteTableCommand({ TableName }));
        seenAt.delete(TableName);
      }
    }
  }

  const timer = setInterval(() => {
    if (sweeping) return;
    sweeping = true;
    // What could not be deleted now is tried again.
    sweep()
      .catch(() => {})
      .finally(() => (sweeping = false));
  }, SWEEP_EVERY_MS).unref();
  return () => {
    clearInterval(timer);
    client.destroy();
  };
}
