import {
  DescribeTableCommand,
  type DynamoDBClient,
  type KeySchemaElement,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import { EventStoreError } from '../event/event-store-error.js';
import { failureName } from './failure.js';
import { tableDefinitions, type TableDefinition, type TableNames } from './table.js';
import { withinTime } from './within-time.js';

/** A table is missing, or not the way it must be. */
export class TableError extends EventStoreError {
  readonly code = 'TABLE';

  constructor(
    readonly tableName: string,
    readonly faults: readonly string[],
    fix = 'Check the names in tables of EventStoreModule: this table was made for something else.',
  ) {
    super(`Table "${tableName}": ${faults.join('; ')}. ${fix}`);
  }
}

/**
 * Checks at start-up that both tables are there as they must be.
 *
 * @param onUnchecked told when the role of this process may not describe a table, which is no fault
 * @throws TableError naming the table, what is wrong and the command that creates it
 */
export async function checkTables(
  client: DynamoDBClient,
  tables: TableNames,
  onUnchecked: (tableName: string) => void,
): Promise<void> {
  for (const table of tableDefinitions(tables)) {
    const description = await describe(client, table.tableName, onUnchecked);
    if (description === 'unchecked') continue;
    if (!description) throw new TableError(table.tableName, ['it does not exist'], createHint(tables));
    const faults = tableFaults(table, description);
    if (faults.length > 0) throw new TableError(table.tableName, faults);
  }
}

/**
 * The time for one request about a table, retries of the SDK included. It is not `deadlineMs`, as the first request of a
 * process also waits for credentials and a connection.
 */
const TABLE_REQUEST_MS = 10_000;

/** Ends a request about a table that nobody answers, as the SDK would wait for ever. */
export function inTime<T>(send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
  return withinTime(TABLE_REQUEST_MS, (abortSignal) => send({ abortSignal }));
}

/** What is wrong with an existing table, in words. */
export function tableFaults(table: TableDefinition, description: TableDescription): string[] {
  const types = new Map(description.AttributeDefinitions?.map((a) => [a.AttributeName, a.AttributeType]));
  const shown = (schema: readonly KeySchemaElement[] | undefined) =>
    (schema ?? []).map(({ AttributeName: name }) => `${name} (${types.get(name)})`).join(', ');
  const wanted = ({ partitionKey, sortKey }: { partitionKey: string; sortKey: string }) =>
    [partitionKey, sortKey].map((name) => `${name} (${table.attributeTypes[name]})`).join(', ');

  const faults: string[] = [];
  if (shown(description.KeySchema) !== wanted(table.key)) {
    faults.push(`its key is ${shown(description.KeySchema)}, and must be ${wanted(table.key)}`);
  }
  for (const index of table.indexes) {
    const found = description.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === index.name);
    if (!found) faults.push(`its index "${index.name}" is missing`);
    else if (shown(found.KeySchema) !== wanted(index)) {
      faults.push(`the key of its index "${index.name}" is ${shown(found.KeySchema)}, and must be ${wanted(index)}`);
    }
  }
  return faults;
}

function createHint({ events, bookkeeping }: TableNames): string {
  return `Check the names in tables of EventStoreModule, or create the tables with: npx nestjs-dynamodb-event-store create-tables --events ${events} --bookkeeping ${bookkeeping}\nOr set provision: true in EventStoreModule, for development.`;
}

async function describe(
  client: DynamoDBClient,
  tableName: string,
  onUnchecked: (tableName: string) => void,
): Promise<TableDescription | 'unchecked' | undefined> {
  try {
    const command = new DescribeTableCommand({ TableName: tableName });
    return (await inTime((sent) => client.send(command, sent))).Table;
  } catch (error) {
    if (failureName(error) === 'ResourceNotFoundException') return undefined;
    if (failureName(error) !== 'AccessDeniedException') throw tableUnreachable(tableName, error);
    onUnchecked(tableName);
    return 'unchecked';
  }
}

/** What stands between this process and a table, before any request about it could be answered. */
export function tableUnreachable(tableName: string, error: unknown): TableError {
  const { message } = error as Partial<Error>;
  return new TableError(
    tableName,
    [`DynamoDB could not be asked about it: ${failureName(error)}${message ? ` (${message})` : ''}`],
    'Check endpoint, region and credentials in clientConfig of EventStoreModule, or in the environment, and that the name is one that DynamoDB takes.',
  );
}
