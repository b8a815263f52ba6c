import { createHash } from 'node:crypto';
import { tenantKey, userKey, type StreamId } from '../event/stream-id.js';
import { FEED_SLICES } from './table.js';

/** Where a stream's event stands in the feed. */
export interface FeedPlace {
  readonly slice: number;
  readonly feedPosition: string;
}

/**
 * A hash of the stream's key stands in the position, as an index key holds 1,024 bytes and the key alone may have
 * 2,048. Its first byte also chooses the slice, so events of different slices never have the same position.
 *
 * @param eventTime in ISO 8601
 */
export function feedPlace(pk: string, eventTime: string): FeedPlace {
  const hash = hashOf(pk);
  return { slice: sliceIn(hash), feedPosition: `${eventTime}#${hash.toString('hex', 0, 8)}` };
}

/** The slice in which all events of a stream are. */
export function sliceOf(pk: string): number {
  return sliceIn(hashOf(pk));
}

function hashOf(pk: string): Buffer {
  return createHash('sha256').update(pk).digest();
}

function sliceIn(hash: Buffer): number {
  return hash[0]! % FEED_SLICES;
}

/** Positions of all events from one time to another: a hash is written with digits and the letters a to f. */
export function feedBounds(from: string, to: string): { readonly low: string; readonly high: string } {
  return { low: `${from}#`, high: `${to}#g` };
}

export function feedSlice(aggregateType: string, slice: number): string {
  return `${aggregateType}#${slice}`;
}

/** The tenant ends at the first `#` and the slice begins at the last, so the type needs no escaping. */
export function tenantSlice(tenantId: string, aggregateType: string, slice: number): string {
  return `${tenantKey(tenantId)}#${aggregateType}#${slice}`;
}

/** The attributes by which the indexes find an event. */
export function indexKeys(
  { tenantId, aggregateType }: StreamId,
  pk: string,
  eventTime: string,
  userId: string | undefined,
): Readonly<Record<string, string>> {
  const { slice, feedPosition } = feedPlace(pk, eventTime);
  return {
    feedSlice: feedSlice(aggregateType, slice),
    feedPosition,
    ...(tenantId !== undefined && { tenantSlice: tenantSlice(tenantId, aggregateType, slice) }),
    ...(userId !== undefined && { userKey: userKey(tenantId, userId) }),
  };
}
