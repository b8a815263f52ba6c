import { createHash } from 'node:crypto';
import type { StoredText } from '../event/compression.js';
import { joinedKey, streamKey, type StreamId } from '../event/stream-id.js';
import type { BookkeepingEntry, StreamPosition } from '../store/bookkeeping.js';
import type { StoredIdempotencyRecord } from '../store/idempotency.js';
import type { PreparedRecord } from '../store/prepare-commit.js';
import type { UniqueWrite } from '../store/unique-values.js';
import type { Item } from './items.js';
import { EXPIRY_ATTRIBUTE } from './table.js';

/** Sort keys of bookkeeping items, one for each kind. */
export const RECORD_SORT_KEY = 'record';
export const UNIQUE_SORT_KEY = 'holder';
const POSITION_SORT_KEY = 'position';

export function recordItem({ keyText, ...record }: PreparedRecord, commitId: string): Item {
  const { tenantId, command, key, fingerprint, result, expiresAt } = record;
  return {
    pk: keyText,
    sk: RECORD_SORT_KEY,
    ...(tenantId !== undefined && { tenantId }),
    command,
    key,
    fingerprint,
    ...(result !== undefined && { result }),
    commitId,
    // DynamoDB deletes within days after this; until then who reads it looks at the time.
    [EXPIRY_ATTRIBUTE]: Math.ceil(expiresAt / 1000),
  };
}

/** The record in an item of `recordItem`, undefined when it has expired. */
export function recordFrom(item: Item, now: number): StoredIdempotencyRecord | undefined {
  const { tenantId, command, key, fingerprint, result, commitId } = item as Record<string, string>;
  const expiresAt = Number(item[EXPIRY_ATTRIBUTE]) * 1000;
  if (expiresAt <= now) return undefined;
  return {
    ...(tenantId !== undefined && { tenantId }),
    command: command!,
    key: key!,
    fingerprint: fingerprint!,
    ...(result !== undefined && { result: result as StoredText }),
    commitId: commitId!,
    expiresAt,
  };
}

/** The holder is named so that an operator can see whose value it is; the value itself is nowhere. */
export function uniqueItem({ key, constraint, stream }: UniqueWrite, commitId: string): Item {
  const { tenantId, aggregateType, aggregateId } = stream;
  return {
    pk: key,
    sk: UNIQUE_SORT_KEY,
    constraint,
    holder: streamKey(stream),
    ...(tenantId !== undefined && { tenantId }),
    aggregateType,
    aggregateId,
    commitId,
  };
}

/** @param writeId by which a write whose answer was lost knows itself again */
export function entryItem(pk: string, { id, revision, value }: BookkeepingEntry, writeId: string): Item {
  return { pk, sk: id, revision, value: JSON.stringify(value), commitId: writeId };
}

export function entryFrom<V>(item: Item): BookkeepingEntry<V> {
  const { sk, revision, value } = item as { sk: string; revision: number; value: string };
  return { id: sk, revision, value: JSON.parse(value) as V };
}

/** A hash stands for the stream, whose own key may take all the room that a key has; the tenant stays first. */
export function positionKey(projection: string, stream: StreamId): string {
  const hash = createHash('sha256').update(streamKey(stream)).digest('base64url');
  return joinedKey(stream.tenantId, 'position', projection, hash);
}

export function positionItem({ projection, stream, version }: StreamPosition, writeId: string): Item {
  const { tenantId, aggregateType, aggregateId } = stream;
  return {
    pk: positionKey(projection, stream),
    sk: POSITION_SORT_KEY,
    ...(tenantId !== undefined && { tenantId }),
    aggregateType,
    aggregateId,
    version,
    commitId: writeId,
  };
}

/** The version in an item of `positionItem`, 0 without one. */
export function positionFrom(item: Item | undefined): number {
  return item ? Number(item.version) : 0;
}
