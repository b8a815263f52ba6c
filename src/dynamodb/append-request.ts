import type { PutCommandInput, TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import type { Item } from './items.js';

/** One event is put alone, at half the price of a transaction; more are written in one transaction. */
export type AppendRequest =
  | { readonly kind: 'put'; readonly input: PutCommandInput }
  | { readonly kind: 'transaction'; readonly input: TransactWriteCommandInput };

/** The place of an event must be free: who finds it taken has lost the race for that version, or meets itself. */
const PLACE_IS_FREE = 'attribute_not_exists(pk)';

/** DynamoDB counts the conditions in the size of a transaction. */
export const CONDITION_BYTES = PLACE_IS_FREE.length;

/**
 * @param token lets DynamoDB recognise a repeated transaction for ten minutes; the same bytes, the same token
 */
export function appendRequest(tableName: string, items: readonly [Item, ...Item[]], token: string): AppendRequest {
  const puts = items.map((Item) => ({
    TableName: tableName,
    Item,
    ConditionExpression: PLACE_IS_FREE,
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const,
  }));
  // A true answer states its consumed capacity, which tells it from an empty body.
  if (items.length === 1) return { kind: 'put', input: { ...puts[0]!, ReturnConsumedCapacity: 'TOTAL' } };
  return {
    kind: 'transaction',
    input: {
      ClientRequestToken: token,
      TransactItems: puts.map((Put) => ({ Put })),
      ReturnConsumedCapacity: 'TOTAL',
    },
  };
}

/** Overwrites an older snapshot only. One of a later shape wins over any of an earlier shape. */
export function snapshotRequest(tableName: string, item: Item): PutCommandInput {
  return {
    TableName: tableName,
    Item: item,
    ConditionExpression: 'attribute_not_exists(pk) OR #version < :version OR snapshotVersion < :snapshotVersion',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':version': item.version, ':snapshotVersion': item.snapshotVersion },
    ReturnConsumedCapacity: 'TOTAL',
  };
}
