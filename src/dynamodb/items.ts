import { CorruptStreamError } from '../event/event-errors.js';
import type { StoredText } from '../event/compression.js';
import type { EventMetadata } from '../event/event-metadata.js';
import { isKeyOf, streamOfKey, type StreamId } from '../event/stream-id.js';
import { timeOf } from '../store/event-feed.js';
import type { Snapshot, SnapshotState } from '../store/snapshot.js';
import type { StoredEvent, UnreadableEvent } from '../store/stored-event.js';
import { eventChecksum, stateChecksum } from './checksum.js';
import { indexKeys } from './index-keys.js';
import { SNAPSHOT_SORT_KEY } from './table.js';

/** An item as the document client takes and gives it. */
export type Item = Record<string, unknown>;

const KNOWN_METADATA = ['userId', 'correlationId', 'causationId', 'commandId'] as const;

/** What `encoding` says of data that is stored as raw-deflated bytes; plain text has no such attribute. */
const DEFLATED = 'deflate-raw';

export function eventItem(event: StoredEvent, pk: string): Item {
  const { stream, metadata } = event;
  const eventTime = new Date(event.eventTime).toISOString();
  const attributes = {
    pk,
    sk: event.version,
    ...streamAttributes(stream),
    version: event.version,
    eventId: event.eventId,
    eventType: event.eventType,
    schemaVersion: event.schemaVersion,
    eventTime,
    eventData: event.eventData,
    ...(typeof event.eventData !== 'string' && { encoding: DEFLATED }),
    ...metadataAttributes(metadata),
    commitId: event.commitId,
    commitIndex: event.commitIndex,
    commitSize: event.commitSize,
    ...indexKeys(stream, pk, eventTime, metadata.userId),
    ...(event.state && stateAttributes({ pk, version: event.version, eventTime }, event.state)),
  };
  return { ...attributes, checksum: eventChecksum(attributes) };
}

/**
 * An event for those who follow many streams, and are not to stop at one that cannot be read; nothing for an item whose
 * key is not that of an event.
 */
export function eventFrom(item: Item): StoredEvent | UnreadableEvent | undefined {
  try {
    return storedEventFrom(item);
  } catch (error) {
    if (!(error instanceof CorruptStreamError)) throw error;
    const { pk, sk } = item;
    const stream = streamOfKey(pk);
    if (!stream || !Number.isSafeInteger(sk) || !((sk as number) >= 1) || isSnapshotItem(item)) return undefined;
    const eventTime = timeOf(String(item.feedPosition));
    return { stream, version: sk as number, eventTime: Number.isNaN(eventTime) ? Date.now() : eventTime };
  }
}

/**
 * @throws CorruptStreamError when the item is not one that `eventItem` made, down to each byte of the event, or lies in
 *   the place of another
 */
export function storedEventFrom(item: Item): StoredEvent {
  const { encoding, checksum } = item;
  if (encoding !== undefined && encoding !== DEFLATED) {
    throw new CorruptStreamError(`${place(item)} has an encoding that this version of the package does not know.`);
  }
  const event = {
    stream: {
      ...(item.tenantId !== undefined && { tenantId: text(item, 'tenantId') }),
      aggregateType: text(item, 'aggregateType'),
      aggregateId: text(item, 'aggregateId'),
    },
    version: number(item, 'sk'),
    eventId: text(item, 'eventId'),
    eventType: text(item, 'eventType'),
    schemaVersion: number(item, 'schemaVersion'),
    eventTime: time(item, 'eventTime'),
    eventData: encoding === DEFLATED ? bytes(item, 'eventData') : text(item, 'eventData'),
    metadata: metadataFrom(item),
    commitId: text(item, 'commitId'),
    commitIndex: number(item, 'commitIndex'),
    commitSize: number(item, 'commitSize'),
  };
  // The first items of this package had no checksum yet.
  if (checksum !== undefined && checksum !== eventChecksum(item)) {
    throw new CorruptStreamError(
      `${place(item)} is damaged: its checksum is not that of what it holds. Restore it from a backup.`,
    );
  }
  // Who may write the keys of one tenant only cannot make its `pk` that of another's stream.
  if (!isKeyOf(event.stream, item.pk)) {
    throw new CorruptStreamError(`${place(item)} holds an event of another stream: it was written by something else.`);
  }
  const state = intactState(item, event.version);
  return { ...event, ...(state && { state }) };
}

export function snapshotItem(stream: StreamId, pk: string, snapshot: Snapshot): Item {
  const eventTime = new Date(snapshot.eventTime).toISOString();
  return {
    pk,
    sk: SNAPSHOT_SORT_KEY,
    ...streamAttributes(stream),
    version: snapshot.version,
    eventTime,
    ...stateAttributes({ pk, version: snapshot.version, eventTime }, snapshot),
  };
}

/** Nothing when the item is damaged: a snapshot only saves work, so it is then done without. */
export function snapshotFrom(item: Item): Snapshot | undefined {
  const { version } = item;
  const eventTime = Date.parse(String(item.eventTime));
  if (!Number.isSafeInteger(version) || Number.isNaN(eventTime)) return undefined;
  const state = intactState(item, version as number);
  return state && { version: version as number, eventTime, ...state };
}

/** The state in an item; nothing when there is none, or a damaged one. */
function intactState(item: Item, version: number): SnapshotState | undefined {
  const { pk, eventTime, state, snapshotVersion } = item;
  if (!isStoredText(state) || typeof snapshotVersion !== 'number') return undefined;
  if (item.stateChecksum !== stateChecksum({ pk, version, eventTime }, { snapshotVersion, state })) return undefined;
  return { state, snapshotVersion };
}

export function isSnapshotItem(item: Item): boolean {
  return item.sk === SNAPSHOT_SORT_KEY;
}

/** The size that DynamoDB bills and limits: names and values (Developer Guide, "DynamoDB item sizes and formats"). */
export function itemBytes(item: Item): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes(value: unknown): number {
  // The client leaves these out.
  if (value === undefined) return 0;
  if (value === null || typeof value === 'boolean') return 1;
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value !== 'object') return Math.ceil(String(value).length / 2) + 1;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (value instanceof Set) return bytesOf(value);
  if (Array.isArray(value)) return CONTAINER_BYTES + value.length + bytesOf(value);
  return CONTAINER_BYTES + Object.keys(value).length + itemBytes(value as Item);
}

/** A list or map has so many bytes of its own, and one more for each of its elements. */
const CONTAINER_BYTES = 3;

function bytesOf(values: Iterable<unknown>): number {
  let size = 0;
  for (const value of values) size += valueBytes(value);
  return size;
}

function streamAttributes({ tenantId, aggregateType, aggregateId }: StreamId): Item {
  return { ...(tenantId !== undefined && { tenantId }), aggregateType, aggregateId };
}

function stateAttributes(owner: Item, { snapshotVersion, state }: SnapshotState): Item {
  return { snapshotVersion, state, stateChecksum: stateChecksum(owner, { snapshotVersion, state }) };
}

function metadataAttributes(metadata: EventMetadata): Item {
  const entries = Object.entries(metadata);
  const known = entries.filter(([name]) => isKnownMetadata(name));
  const custom = entries.filter(([name]) => !isKnownMetadata(name));
  return {
    ...Object.fromEntries(known),
    ...(custom.length > 0 && { metadata: JSON.stringify(Object.fromEntries(custom)) }),
  };
}

function isKnownMetadata(name: string): boolean {
  return (KNOWN_METADATA as readonly string[]).includes(name);
}

function metadataFrom(item: Item): EventMetadata {
  const known = KNOWN_METADATA.filter((name) => item[name] !== undefined).map((name) => [name, text(item, name)]);
  if (item.metadata === undefined) return Object.fromEntries(known);
  try {
    return { ...Object.fromEntries(known), ...(JSON.parse(text(item, 'metadata')) as EventMetadata) };
  } catch {
    throw new CorruptStreamError(`${place(item)} has damaged metadata.`);
  }
}

function isStoredText(value: unknown): value is StoredText {
  return typeof value === 'string' || value instanceof Uint8Array;
}

function text(item: Item, name: string): string {
  const value = item[name];
  if (typeof value !== 'string') throw damaged(item, name);
  return value;
}

function number(item: Item, name: string): number {
  const value = item[name];
  if (typeof value !== 'number') throw damaged(item, name);
  return value;
}

function time(item: Item, name: string): number {
  const milliseconds = Date.parse(text(item, name));
  if (Number.isNaN(milliseconds)) throw damaged(item, name);
  return milliseconds;
}

function bytes(item: Item, name: string): Uint8Array {
  const value = item[name];
  if (!(value instanceof Uint8Array)) throw damaged(item, name);
  return value;
}

function damaged(item: Item, name: string): CorruptStreamError {
  return new CorruptStreamError(`${place(item)} has no usable attribute ${name}: it was changed by something else.`);
}

function place(item: Item): string {
  return `The item at pk "${String(item.pk)}", sk ${String(item.sk)}`;
}
