import type { StoredEvent } from './stored-event.js';

/** A part of the stream of changes. It ends at some time, and others go on in its place. */
export interface Shard {
  readonly id: string;
  /** The one in whose place it goes on; it may be gone already. */
  readonly parentId?: string;
}

/** Where reading a shard begins: with what comes from now on, with the oldest record there is, or behind a record. */
export type ShardPlace = 'latest' | 'oldest' | { readonly after: string };

export interface ShardPage {
  readonly events: readonly StoredEvent[];
  /** The last record of the page, events or not; none when it was empty. */
  readonly last: string | undefined;
  /** What reads on; none at the end of the shard. */
  readonly next: string | undefined;
}

/** What reads on from a place is too old to be used. */
export class IteratorExpiredError extends Error {
  override readonly name = 'IteratorExpiredError';
}

/** Records were deleted before they were read, as a stream keeps them for a day only. */
export class RecordsTrimmedError extends Error {
  override readonly name = 'RecordsTrimmedError';
}

/** The events as a stream of changes tells of them right after they are stored. It keeps order for each item only. */
export abstract class EventStream {
  /** All shards that there still are. @throws EventStoreUnavailableError */
  abstract shards(): Promise<readonly Shard[]>;

  /**
   * What reads a shard from a place on.
   *
   * @throws RecordsTrimmedError
   * @throws EventStoreUnavailableError
   */
  abstract iterator(shard: string, place: ShardPlace): Promise<string>;

  /**
   * @throws IteratorExpiredError
   * @throws RecordsTrimmedError
   * @throws EventStoreUnavailableError
   */
  abstract read(iterator: string): Promise<ShardPage>;

  /** Ends what it has opened. */
  abstract close(): void;
}
