import type { CommitOutcome, CommitReference } from '../../../src/index.js';

/** How a command ended for the one who sent it. */
export type EndedBooking =
  | { readonly number: number; readonly outcome: 'acknowledged' }
  | { readonly number: number; readonly outcome: 'refused'; readonly reason: string }
  | { readonly number: number; readonly outcome: 'unknown'; readonly unknown: UnknownCommit }
  /** With an error that says nothing of what was stored. */
  | { readonly number: number; readonly outcome: 'untyped'; readonly error: string };

export interface UnknownCommit {
  readonly reference: CommitReference & { readonly commitId: string };
  /** What `outcomeOf` said at once, when it could be asked. */
  readonly askedAtOnce: CommitOutcome | undefined;
}
