import { EventStoreError } from '../event/event-store-error.js';

interface Conditions {
  readonly TableName: string;
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames?: Record<string, string>;
  readonly ExpressionAttributeValues?: Record<string, unknown>;
}

type Attributes = Record<string, unknown>;

/** A write to a table of the application, with values as the document client of the AWS SDK takes them. */
export type TableWrite =
  | { readonly Put: Conditions & { readonly Item: Attributes } }
  | { readonly Update: Conditions & { readonly Key: Attributes; readonly UpdateExpression: string } }
  | { readonly Delete: Conditions & { readonly Key: Attributes } }
  | { readonly ConditionCheck: Conditions & { readonly Key: Attributes; readonly ConditionExpression: string } };

/** The name of the table that is written to. */
export function tableOf(write: TableWrite): string {
  return Object.values(write as Record<string, { TableName: string }>)[0]!.TableName;
}

/** A write of a projection was refused: its condition failed, or DynamoDB does not take it. Nothing was written. */
export class TableWriteRefusedError extends EventStoreError {
  readonly code = 'TABLE_WRITE_REFUSED';

  constructor(
    message: string,
    /** Whether by a condition of its own, and not as DynamoDB takes no such write. */
    readonly byCondition = false,
  ) {
    super(message);
  }
}

export function noTablesError(): TableWriteRefusedError {
  return new TableWriteRefusedError(
    `context.transaction writes to tables of DynamoDB, and storage: 'memory' has none. Keep the read model of a test elsewhere, or use storage: 'dynamodb'.`,
  );
}

export function refusedByConditionError(projection: string, write: TableWrite): TableWriteRefusedError {
  return new TableWriteRefusedError(
    `A write of the projection "${projection}" was refused by its own condition, on table "${tableOf(write)}".`,
    true,
  );
}

export function invalidWritesError(writes: readonly TableWrite[]): TableWriteRefusedError {
  const tables = [...new Set(writes.map((write) => `"${tableOf(write)}"`))].join(', ');
  return new TableWriteRefusedError(
    `DynamoDB takes no transaction with these writes of a projection, to ${tables}: look for an item that is written twice, is too large, or has another key than its table, for a mistake in an expression, such as a reserved word of DynamoDB that is not behind a #name, and for values that are no data, such as a Date, NaN or an empty Set.`,
  );
}
