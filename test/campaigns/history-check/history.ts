/**
 * What clients of a store did and saw. All times are of one clock, so they say what was over before what began.
 */
export interface History {
  readonly appends: readonly AppendRecord[];
  readonly reads: readonly ReadRecord[];
}

/** A commit's part in one stream. */
export interface AppendRecord {
  /** The aggregate id. */
  readonly stream: string;
  /** Names the commit in each of its events. */
  readonly commit: string;
  /** How many events it has for the stream. */
  readonly size: number;
  readonly invoked: bigint;
  readonly ended: bigint;
  readonly outcome: AppendOutcome;
}

export type AppendOutcome =
  | { readonly kind: 'acknowledged'; readonly lastVersion: number }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'refused';
      /** That another commit was said to have followed this version, if that was the reason and on this stream. */
      readonly takenAfter?: number;
    };

export interface ReadRecord {
  readonly stream: string;
  /** How it was read, for messages. */
  readonly by: 'read' | 'backward read' | 'load' | 'last read';
  readonly started: bigint;
  readonly ended: bigint;
  /** In the order in which the read gave them. */
  readonly seen: readonly SeenEvent[];
}

export interface SeenEvent {
  readonly version: number;
  readonly commit: string;
  /** Position among its commit's events of the stream, from 0. */
  readonly index: number;
}
