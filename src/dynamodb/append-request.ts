import type { PutCommandInput, TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import type { PreparedRecord } from '../store/prepare-commit.js';
import type { UniqueWrite } from '../store/unique-values.js';
import { recordItem, UNIQUE_SORT_KEY, uniqueItem } from './bookkeeping-items.js';
import { itemBytes, type Item } from './items.js';
import { EXPIRY_ATTRIBUTE } from './table.js';

/** One event is put alone, at half the price of a transaction; more are written in one transaction. */
export type AppendRequest =
  | { readonly kind: 'put'; readonly input: PutCommandInput }
  | { readonly kind: 'transaction'; readonly input: TransactWriteCommandInput };

export type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

/** The place of an event must be free: who finds it taken has lost the race for that version, or meets itself. */
const PLACE_IS_FREE = 'attribute_not_exists(pk)';

const OLD_ITEM = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const };

export function eventWrite(tableName: string, item: Item): TransactItem {
  return { Put: { TableName: tableName, Item: item, ConditionExpression: PLACE_IS_FREE, ...OLD_ITEM } };
}

/** The key must not have been used, unless so long ago that it may be used anew. */
export function recordWrite(tableName: string, record: PreparedRecord, commitId: string, now: number): TransactItem {
  return {
    Put: {
      TableName: tableName,
      Item: recordItem(record, commitId),
      ConditionExpression: `${PLACE_IS_FREE} OR ${EXPIRY_ATTRIBUTE} <= :now`,
      ExpressionAttributeValues: { ':now': Math.floor(now / 1000) },
      ...OLD_ITEM,
    },
  };
}

/** The value must be held by nobody, or by an aggregate of this commit. */
export function uniqueWrite(tableName: string, unique: UniqueWrite, commitId: string): TransactItem {
  const holders = unique.holdersBefore.map((holder, index) => [`:holder${index}`, holder] as const);
  const condition = {
    TableName: tableName,
    ConditionExpression: `${PLACE_IS_FREE} OR holder IN (${holders.map(([name]) => name).join(', ')})`,
    ExpressionAttributeValues: Object.fromEntries(holders),
    ...OLD_ITEM,
  };
  return unique.held
    ? { Put: { ...condition, Item: uniqueItem(unique, commitId) } }
    : { Delete: { ...condition, Key: { pk: unique.key, sk: UNIQUE_SORT_KEY } } };
}

/**
 * @param token lets DynamoDB recognise a repeated transaction for ten minutes; the same bytes, the same token
 */
export function appendRequest(writes: readonly TransactItem[], token: string): AppendRequest {
  const [{ Put } = {}] = writes;
  // A true answer states its consumed capacity, which tells it from an empty body.
  if (writes.length === 1 && Put) {
    return { kind: 'put', input: { ...(Put as PutCommandInput), ReturnConsumedCapacity: 'TOTAL' } };
  }
  return {
    kind: 'transaction',
    input: { ClientRequestToken: token, TransactItems: [...writes], ReturnConsumedCapacity: 'TOTAL' },
  };
}

/** What a write adds to the size of its transaction: DynamoDB counts conditions as well. */
export function writeBytes(write: TransactItem): number {
  const action = actionOf(write);
  const { ConditionExpression = '', ExpressionAttributeValues = {} } = action;
  const content = 'Item' in action ? action.Item! : action.Key!;
  const expressions = ConditionExpression + (write.Update?.UpdateExpression ?? '');
  return itemBytes(content) + Buffer.byteLength(expressions) + itemBytes(ExpressionAttributeValues);
}

/** The one action of a write. */
export function actionOf({ Put, Delete, Update, ConditionCheck }: TransactItem) {
  return (Put ?? Delete ?? Update ?? ConditionCheck)!;
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
