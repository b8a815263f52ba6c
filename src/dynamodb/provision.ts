import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  UpdateContinuousBackupsCommand,
  UpdateTimeToLiveCommand,
  type DynamoDBClient,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import { failureName } from './failure.js';
import { inTime, TableError, tableFaults, tableUnreachable } from './table-check.js';
import {
  createTableInput,
  EXPIRY_ATTRIBUTE,
  tableDefinitions,
  type TableDefinition,
  type TableNames,
} from './table.js';

/** A new table with its indexes is usually active within seconds; AWS promises nothing. */
const ACTIVE_WITHIN_MS = 5 * 60_000;
const ASK_EVERY_MS = 200;

/**
 * Creates the tables that are missing, and waits until all are active. Safe to call at any time and by several
 * processes at once.
 *
 * @param onStep told of each step, for progress
 * @throws TableError when a table is there with other keys or indexes, or does not become active in 5 minutes
 */
export async function provisionTables(
  client: DynamoDBClient,
  tables: TableNames,
  onStep: (step: string) => void = () => {},
): Promise<void> {
  await Promise.all(
    tableDefinitions(tables).map((table) =>
      provisionTable(client, table, onStep).catch((error: unknown) => {
        throw error instanceof TableError ? error : tableUnreachable(table.tableName, error);
      }),
    ),
  );
}

async function provisionTable(
  client: DynamoDBClient,
  table: TableDefinition,
  onStep: (step: string) => void,
): Promise<void> {
  const { tableName } = table;
  const created = await createIfMissing(client, table);
  onStep(created ? `${tableName}: created, waiting until it is active` : `${tableName}: already there`);
  const description = await waitUntilActive(client, tableName);
  const faults = tableFaults(table, description);
  if (faults.length > 0) throw new TableError(tableName, faults);
  if (table.expires) await enableExpiry(client, tableName);
  await enablePointInTimeRecovery(client, tableName);
  onStep(`${tableName}: active`);
}

async function createIfMissing(client: DynamoDBClient, table: TableDefinition): Promise<boolean> {
  if (await describe(client, table.tableName)) return false;
  try {
    const command = new CreateTableCommand(createTableInput(table));
    await inTime((sent) => client.send(command, sent));
    return true;
  } catch (error) {
    // Another process was first.
    if (failureName(error) === 'ResourceInUseException') return false;
    throw error;
  }
}

async function waitUntilActive(client: DynamoDBClient, tableName: string): Promise<TableDescription> {
  const until = Date.now() + ACTIVE_WITHIN_MS;
  for (;;) {
    const description = await describe(client, tableName);
    const indexes = description?.GlobalSecondaryIndexes ?? [];
    const active = [description?.TableStatus, ...indexes.map((index) => index.IndexStatus ?? 'ACTIVE')];
    if (description && active.every((status) => status === 'ACTIVE' || status === 'UPDATING')) return description;
    if (Date.now() > until)
      throw new TableError(tableName, [`it is not active after ${ACTIVE_WITHIN_MS / 60_000} minutes`]);
    await sleep(ASK_EVERY_MS);
  }
}

async function describe(client: DynamoDBClient, tableName: string): Promise<TableDescription | undefined> {
  try {
    const command = new DescribeTableCommand({ TableName: tableName });
    return (await inTime((sent) => client.send(command, sent))).Table;
  } catch (error) {
    if (failureName(error) === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

async function enableExpiry(client: DynamoDBClient, tableName: string): Promise<void> {
  const question = new DescribeTimeToLiveCommand({ TableName: tableName });
  const { TimeToLiveDescription } = await inTime((sent) => client.send(question, sent));
  if (TimeToLiveDescription?.TimeToLiveStatus?.startsWith('ENABL')) return;
  const specification = { AttributeName: EXPIRY_ATTRIBUTE, Enabled: true };
  const command = new UpdateTimeToLiveCommand({ TableName: tableName, TimeToLiveSpecification: specification });
  // Another process was first.
  await inTime((sent) => client.send(command, sent)).catch(ignoring('ValidationException'));
}

async function enablePointInTimeRecovery(client: DynamoDBClient, tableName: string): Promise<void> {
  try {
    const question = new DescribeContinuousBackupsCommand({ TableName: tableName });
    const { ContinuousBackupsDescription } = await inTime((sent) => client.send(question, sent));
    const status = ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus;
    if (status === 'ENABLED') return;
    const specification = { PointInTimeRecoveryEnabled: true };
    const command = new UpdateContinuousBackupsCommand({
      TableName: tableName,
      PointInTimeRecoverySpecification: specification,
    });
    await inTime((sent) => client.send(command, sent));
  } catch (error) {
    // DynamoDB Local has no backups. A new table may not have them yet; the next start asks again.
    ignoring('UnknownOperationException', 'ContinuousBackupsUnavailableException')(error);
  }
}

function ignoring(...names: string[]): (error: unknown) => void {
  return (error) => {
    if (!names.includes(failureName(error))) throw error;
  };
}
