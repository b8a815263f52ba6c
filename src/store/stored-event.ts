import { randomUUID } from 'node:crypto';
import type { EventMetadata } from '../event/event-metadata.js';
import type { EncodedEvent, EventRegistry } from '../event/event-registry.js';
import { rememberRecording, type RecordedEvent, type RecordedVersion } from '../event/recorded-event.js';
import type { StreamId } from '../event/stream-id.js';
import type { StreamHead } from './commit.js';
import type { PreparedAppend, PreparedCommit } from './prepare-commit.js';
import type { SnapshotState } from './snapshot.js';

/** All that is kept of an event, in the form in which it is kept. */
export interface StoredEvent extends EncodedEvent {
  readonly stream: StreamId;
  readonly version: number;
  readonly eventId: string;
  /** Milliseconds since 1970. */
  readonly eventTime: number;
  readonly metadata: EventMetadata;
  readonly commitId: string;
  /** Position among the events that this commit has in this stream, from 0. */
  readonly commitIndex: number;
  /** How many events this commit has in this stream. With the index it tells a load whether it saw them all. */
  readonly commitSize: number;
  readonly state?: SnapshotState;
}

/**
 * An event that was met where it could not be read, as its item is damaged or holds that of another stream: what the key
 * of the item tells of it.
 */
export type UnreadableEvent = Pick<StoredEvent, 'stream' | 'version' | 'eventTime'>;

export function isReadable(event: StoredEvent | UnreadableEvent): event is StoredEvent {
  return 'eventData' in event;
}

/**
 * Gives the events of an append their versions and times behind the head. Times grow from version to version even
 * where the writer's clock stands still or runs behind, as readers by time rely on it.
 */
export function placeEvents(
  commit: Pick<PreparedCommit, 'commitId'>,
  append: PreparedAppend,
  head: StreamHead,
  now: number,
): StoredEvent[] {
  const firstTime = Math.max(now, head.eventTime + 1);
  return append.encoded.map((encoded, index) => ({
    ...encoded,
    stream: append.stream,
    version: head.version + 1 + index,
    eventId: randomUUID(),
    eventTime: firstTime + index,
    metadata: append.metadata[index]!,
    commitId: commit.commitId,
    commitIndex: index,
    commitSize: append.encoded.length,
    ...(append.state && index === append.encoded.length - 1 && { state: append.state }),
  }));
}

/** The event as readers get it. */
export function recordedVersionFrom(stored: StoredEvent, registry: EventRegistry): RecordedVersion {
  const events = registry.decode(stored).map((event) => recording(stored, event));
  return { version: stored.version, eventTime: new Date(stored.eventTime), events };
}

/** Ties an instance that was just stored to its recording. */
export function recordInstances(stored: readonly StoredEvent[], instances: readonly object[]): void {
  stored.forEach((event, index) => recording(event, instances[index]!));
}

function recording(stored: StoredEvent, event: object): RecordedEvent {
  const { stream, version, eventId, eventType, schemaVersion, eventTime, metadata, commitId } = stored;
  const recorded = {
    stream: { ...stream },
    version,
    eventId,
    eventType,
    schemaVersion,
    eventTime: new Date(eventTime),
    event,
    metadata: { ...metadata },
    commitId,
  };
  rememberRecording(recorded);
  return recorded;
}
