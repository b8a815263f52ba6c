import type { StoredText } from '../event/compression.js';
import type { RecordedVersion } from '../event/recorded-event.js';

/** An aggregate's state in stored form. */
export interface SnapshotState {
  /** Version of the state's shape, from `@Aggregate`; another one is migrated or not used. */
  readonly snapshotVersion: number;
  readonly state: StoredText;
}

/** An aggregate's state at a version of its stream. Only ever saves work: the events are the truth. */
export interface Snapshot extends SnapshotState {
  readonly version: number;
  /** Time of the event of that version, in milliseconds since 1970. */
  readonly eventTime: number;
}

/** A stream from its newest snapshot on; without a snapshot, from its start. */
export interface StreamSinceSnapshot {
  readonly snapshot: Snapshot | undefined;
  /** The events after the snapshot's version, oldest first. */
  readonly events: AsyncIterable<RecordedVersion>;
  /** All events, for when the snapshot turns out to be of no use. */
  readonly allEvents: AsyncIterable<RecordedVersion>;
}
