import type { EventMetadata } from '../event/event-metadata.js';
import type { StreamId } from '../event/stream-id.js';
import type { ExpectedVersion } from './expected-version.js';
import type { IdempotencyKey, IdempotencyRecord } from './idempotency.js';
import type { SnapshotState } from './snapshot.js';

/** Events of one or several streams, to be stored together or not at all. */
export interface Commit {
  /** At most one entry a stream. One without events is left out, its expected version unchecked. */
  readonly appends: readonly StreamAppend[];
  /** Goes to every event of the commit. */
  readonly metadata?: Partial<EventMetadata>;
  /** Names the commit; 1 to 36 characters, a new UUID by default. Give your own to ask for its outcome later. */
  readonly commitId?: string;
  /** Stored along with the events, or alone, unless the key is there already. Counts as one of the 100 events. */
  readonly idempotency?: IdempotencyRecord;
  /** Values that aggregates of this commit take or give free, in the same transaction. Each counts as one of the 100 events. */
  readonly unique?: readonly UniqueChange[];
}

export interface StreamAppend {
  readonly stream: StreamId;
  readonly events: readonly object[];
  readonly expectedVersion: ExpectedVersion;
  /**
   * The head that a load has just shown, of version `expectedVersion`: spares the request that checks a bare number.
   * A wrong one would leave a gap in the stream, so pass on only what a read returned.
   */
  readonly loadedHead?: StreamHead;
  /** Metadata of each event, by position, on top of the commit's. */
  readonly metadata?: readonly (Partial<EventMetadata> | undefined)[];
  /** State of the aggregate after these events, to be stored inside the last one's item. */
  readonly state?: SnapshotState;
}

/** A value that an aggregate takes for itself, or gives free. */
export interface UniqueChange {
  readonly stream: StreamId;
  readonly action: 'reserve' | 'release';
  /** What the value is, such as `email`; values of one name are unique over all aggregates of a tenant. */
  readonly constraint: string;
  readonly value: string;
}

/** The last event of a stream; version 0 and time 0 when there is none. */
export interface StreamHead {
  readonly version: number;
  readonly eventTime: number;
}

export interface CommitResult {
  readonly commitId: string;
  /** Each stream that got events, with its version after them. */
  readonly appended: readonly { readonly stream: StreamId; readonly version: number }[];
}

/** A commit to ask about: a `CommitOutcomeUnknownError`, or a `Commit` that was given a commitId. */
export interface CommitReference {
  readonly commitId?: string;
  readonly appends: readonly AppendReference[];
  /** When its last request was given up; a `CommitOutcomeUnknownError` knows. With it, streams without a tenant have none. */
  readonly lastAttemptAt?: Date | string;
  /** The key that it was to be stored with; finds a commit without events. */
  readonly idempotency?: IdempotencyKey | undefined;
}

/** A stream and the version that the commit's events follow there. */
export interface AppendReference {
  readonly stream: StreamId;
  readonly expectedVersion: ExpectedVersion;
  readonly events?: readonly object[];
  /**
   * Of the first event that the commit has there; a `CommitOutcomeUnknownError` knows. With it, another commit that was
   * given the same `commitId` is not taken for this one.
   */
  readonly eventId?: string;
}
