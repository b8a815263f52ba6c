import type { QueryCommandInput } from '@aws-sdk/lib-dynamodb';
import { MAX_VERSION } from '../store/read-range.js';

interface EventsQuery {
  readonly from: number;
  readonly to: number;
  readonly forward: boolean;
  /** At most so many items; Infinity fetches as much as a page of 1 MB holds. */
  readonly limit: number;
}

/** Events of a stream, without its snapshot. */
export function eventsQuery(
  tableName: string,
  pk: string,
  { from, to, forward, limit }: EventsQuery,
): QueryCommandInput {
  return {
    TableName: tableName,
    KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
    ExpressionAttributeValues: { ':pk': pk, ':from': from, ':to': to },
    ScanIndexForward: forward,
    ConsistentRead: true,
    ...(Number.isFinite(limit) && { Limit: limit }),
  };
}

/** The last event of a stream. */
export function headQuery(tableName: string, pk: string): QueryCommandInput {
  return eventsQuery(tableName, pk, { from: 1, to: MAX_VERSION, forward: false, limit: 1 });
}

/** The snapshot, which lies above all versions, and the newest events below it. */
export function sinceSnapshotQuery(tableName: string, pk: string, tail: number): QueryCommandInput {
  return {
    TableName: tableName,
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': pk },
    ScanIndexForward: false,
    ConsistentRead: true,
    Limit: tail + 1,
  };
}

/** One item of bookkeeping. A query and not a get: its answer tells an item that is not there from no answer. */
export function itemQuery(tableName: string, pk: string, sk: string): QueryCommandInput {
  return {
    TableName: tableName,
    KeyConditionExpression: 'pk = :pk AND sk = :sk',
    ExpressionAttributeValues: { ':pk': pk, ':sk': sk },
    ConsistentRead: true,
  };
}
