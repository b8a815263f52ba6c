import type { StreamId } from '../event/stream-id.js';
import type { CommitReference } from './commit.js';
import type { IdempotencyKey } from './idempotency.js';
import { ANY_VERSION } from './expected-version.js';
import { InvalidCommitError } from './store-errors.js';

/**
 * How a commit ended:
 * `stored` – all of it is there;
 * `not-stored` – none of it is, and none will be;
 * `undecided` – none of it is there yet, and a request that was under way may still arrive. Ask again later.
 */
export type CommitOutcome = 'stored' | 'not-stored' | 'undecided';

/**
 * After this, no request can arrive any more. AWS refuses one whose signature is over 5 minutes old, and allows for
 * clocks that are 5 minutes apart (IAM User Guide, "Signing AWS API requests"); the rest is to be on the safe side.
 */
const REQUESTS_EXPIRE_AFTER_MS = 15 * 60_000;

export interface Finder {
  /** The event that stands where a commit's first event of this append would stand, or an event of that identity. */
  event(
    stream: StreamId,
    wanted: { readonly version: number } | EventIdentity,
  ): Promise<{ readonly commitId: string; readonly eventId: string } | undefined>;
  /** What is kept for an idempotency key. */
  record(key: IdempotencyKey): Promise<{ readonly commitId: string } | undefined>;
}

/** An event of a commit. An error that was kept before it knew its events, and a caller's own commit, do not say which. */
export interface EventIdentity {
  readonly commitId: string;
  readonly eventId: string | undefined;
}

/** Whether an event is the one that is meant: a commitId may have been given to other events before. */
export function isEventOf(
  event: { readonly commitId: string; readonly eventId: string },
  { commitId, eventId }: EventIdentity,
): boolean {
  return event.commitId === commitId && (eventId === undefined || event.eventId === eventId);
}

/**
 * A commit is atomic, so one event of it proves the whole; another commit's event in one of its places proves that it
 * can never be stored.
 *
 * @throws InvalidCommitError when the commit has no id to find it by
 */
export async function outcomeOf(commit: CommitReference, find: Finder): Promise<CommitOutcome> {
  const { commitId, lastAttemptAt, idempotency } = commit;
  const appends = commit.appends.filter(({ events }) => events?.length !== 0);
  if (commitId === undefined || (appends.length === 0 && !idempotency)) {
    throw new InvalidCommitError(
      'outcomeOf needs the CommitOutcomeUnknownError, or the commit with the commitId that you gave it.',
    );
  }
  for (const { stream, expectedVersion, eventId } of appends) {
    const own = { commitId, eventId };
    const holder = await find.event(stream, expectedVersion === ANY_VERSION ? own : { version: expectedVersion + 1 });
    if (holder) return isEventOf(holder, own) ? 'stored' : 'not-stored';
  }
  if (appends.length === 0) {
    const holder = await find.record(idempotency!);
    if (holder) return holder.commitId === commitId ? 'stored' : 'not-stored';
  }
  const expired =
    lastAttemptAt !== undefined && Date.now() - new Date(lastAttemptAt).getTime() > REQUESTS_EXPIRE_AFTER_MS;
  return expired ? 'not-stored' : 'undecided';
}
