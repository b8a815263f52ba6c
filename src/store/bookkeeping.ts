import type { StreamId } from '../event/stream-id.js';
import type { TableWrite } from './table-write.js';

/** Something kept beside the events, that changes. */
export interface BookkeepingEntry<V = unknown> {
  readonly id: string;
  /** Grows by one with each write, so that only one of two writers who saw the same succeeds. */
  readonly revision: number;
  /** Plain data. */
  readonly value: V;
}

/** How far a projection has come in a stream. */
export interface StreamPosition {
  readonly projection: string;
  readonly stream: StreamId;
  /** The first version of the step: the position has to be before it. */
  readonly fromVersion: number;
  /** The version that it moves to. */
  readonly version: number;
}

/** An entry to be written, as the revision behind the given one; 0 when there must be none. */
export interface EntryWrite extends BookkeepingEntry {
  readonly subject: readonly string[];
}

/**
 * What became of a projection's step: `passed` names, by index, a position that was there or further already, `outdated`
 * says that the entry has another revision.
 */
export type ProjectOutcome =
  { readonly kind: 'stored' } | { readonly kind: 'passed'; readonly index: number } | { readonly kind: 'outdated' };

/**
 * What is kept of subscriptions: who reads what, how far it has come, and what was set aside. Entries lie together by
 * subject, and each write says which revision it follows.
 */
export abstract class Bookkeeping {
  /** All entries of a subject. @throws EventStoreUnavailableError */
  abstract entries<V>(subject: readonly string[]): Promise<readonly BookkeepingEntry<V>[]>;

  /** @throws EventStoreUnavailableError */
  abstract entry<V>(subject: readonly string[], id: string): Promise<BookkeepingEntry<V> | undefined>;

  /**
   * Writes an entry, as the revision behind the given one.
   *
   * @param revision that must be there; 0 when there must be none
   * @returns false when another revision is there
   * @throws EventStoreUnavailableError when it was not, or may not have been, written
   */
  abstract write(subject: readonly string[], id: string, value: unknown, revision: number): Promise<boolean>;

  /** Removes an entry, unless another revision is there; whether it did. @throws EventStoreUnavailableError */
  abstract remove(subject: readonly string[], id: string, revision: number): Promise<boolean>;

  /**
   * Moves positions forward and makes the writes, all together or none. There may be no writes.
   *
   * @param entry is written with them
   * @throws TableWriteRefusedError when a condition of the writes failed, or DynamoDB takes none of this kind
   * @throws EventStoreUnavailableError when it is not known to be done; asking again does it once
   */
  abstract project(
    positions: readonly StreamPosition[],
    writes: readonly TableWrite[],
    entry?: EntryWrite,
  ): Promise<ProjectOutcome>;

  /**
   * The version to which a projection has moved in each of the streams, 0 where it has not.
   *
   * @throws EventStoreUnavailableError
   */
  abstract positionsOf(projection: string, streams: readonly StreamId[]): Promise<readonly number[]>;
}
