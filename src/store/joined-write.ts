import type { StoredEvent } from './stored-event.js';
import type { TableWrite } from './table-write.js';

/** A write to a table of the application that is stored with a commit, or not at all. */
export interface JoinedWrite {
  /** The inline projection whose write it is. */
  readonly projection: string;
  readonly write: TableWrite;
}

/**
 * Gives what joins a commit, from its events as they will be stored. Asked again where the commit is placed anew behind
 * another.
 */
export type CommitWrites = (events: readonly StoredEvent[]) => Promise<readonly JoinedWrite[]>;
