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

/** A write of a projection was refused: its condition failed, or DynamoDB does not take it. Nothing was written. */
export class TableWriteRefusedError extends EventStoreError {
  readonly code = 'TABLE_WRITE_REFUSED';
}
