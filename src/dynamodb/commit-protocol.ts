import { actionOf, type AppendRequest } from './append-request.js';
import type { Deadline } from './deadline.js';
import { cancellationReasons, failureName, type FailureKind, type StoredAttributes } from './failure.js';
import { refused, unreachable, WriteFailure, type Sender } from './sender.js';

/** How a commit ended. `taken` names, by position, an item whose place another commit holds. */
export type WriteOutcome =
  | { readonly kind: 'stored' }
  | { readonly kind: 'conflict'; readonly taken: number }
  | { readonly kind: 'unknown'; readonly lastFailure: string };

/**
 * What tells one commit from every other in an item that it writes: its id alone may have been used before, so an event
 * has its own beside it. What is no event has a text of its writer in that place, or none.
 */
export interface ItemIdentity {
  readonly commitId: string;
  readonly eventId: string;
}

/** The writes of a commit by position, and who holds the place of one in the table. */
export interface CommitPlaces {
  /** The write whose item proves whose commit is there when this one is refused; none where nothing does. */
  proofOf(position: number): { readonly position: number; readonly identity: ItemIdentity } | undefined;
  /** Whether a place that is taken stays so; otherwise an earlier request may still find it free when it comes late. */
  staysTaken(position: number): boolean;
  /** @throws EventStoreUnavailableError when it cannot be read */
  holderOf(position: number): Promise<ItemIdentity | undefined>;
}

/**
 * Writes a commit, and asks with the same bytes until it is known how it ended or the deadline passes.
 *
 * A response can be lost after the write was done. The repeated request then finds the places taken, by itself: the
 * commitId and eventId in an item found there tell our own commit from another's.
 *
 * @throws EventStoreUnavailableError, OperationAbortedError when it is certain that nothing was written
 */
export async function writeCommit(
  sender: Sender,
  request: AppendRequest,
  places: CommitPlaces,
  deadline: Deadline,
): Promise<WriteOutcome> {
  let mayBeStored = false;
  for (let attempt = 0; ; attempt++) {
    if (!mayBeStored) deadline.throwIfAborted();
    try {
      await sender.write(request, deadline);
      return { kind: 'stored' };
    } catch (thrown) {
      if (!(thrown instanceof WriteFailure)) throw thrown;
      const { error, kind } = thrown;
      mayBeStored ||= kind === 'unknown';
      const refusals = conditionRefusals(error);
      if (refusals.length > 0) {
        const [{ position }] = refusals as [ConditionRefusal];
        try {
          if (await isOurs(refusals, places)) return { kind: 'stored' };
          if (mayBeStored && !places.staysTaken(position)) return { kind: 'unknown', lastFailure: failureName(error) };
          return { kind: 'conflict', taken: position };
        } catch (unread) {
          // Whose the place is cannot be learned, and it may be our own.
          return { kind: 'unknown', lastFailure: failureName(unread) };
        }
      }
      if (cancelledKind(error, kind) === 'rejected') {
        if (!mayBeStored) throw refused(error, ...tablesOf(request));
        return { kind: 'unknown', lastFailure: failureName(error) };
      }
      await deadline.backoff(attempt);
      if (deadline.isNear || deadline.isAborted) {
        if (!mayBeStored) {
          deadline.throwIfAborted();
          throw unreachable(error);
        }
        return { kind: 'unknown', lastFailure: failureName(error) };
      }
    }
  }
}

interface ConditionRefusal {
  readonly position: number;
  readonly item: StoredAttributes | undefined;
}

/** Whether the writes were refused as the commit is there already. */
async function isOurs(refusals: readonly ConditionRefusal[], places: CommitPlaces): Promise<boolean> {
  const [first] = refusals as [ConditionRefusal];
  const proof = places.proofOf(first.position);
  if (!proof) return false;
  const { commitId, eventId } = proof.identity;
  const seen = refusals.find(({ position }) => position === proof.position)?.item;
  // What another commit has put in its place kept ours from being stored.
  if (!seen && first.item && identityIn(first.item).commitId !== commitId) return false;
  const holder = seen ? identityIn(seen) : await places.holderOf(proof.position);
  return holder?.commitId === commitId && holder.eventId === eventId;
}

function identityIn({ commitId, eventId, fingerprint }: StoredAttributes): ItemIdentity {
  return { commitId: commitId?.S ?? '', eventId: eventId?.S ?? fingerprint?.S ?? '' };
}

/** The items whose condition failed: for certain reasons of the data, and not for the load on the table. */
function conditionRefusals(error: unknown): readonly ConditionRefusal[] {
  const { name, Item } = error as { name?: string; Item?: StoredAttributes };
  if (name === 'ConditionalCheckFailedException') return [{ position: 0, item: Item }];
  return cancellationReasons(error).flatMap((reason, position) =>
    reason.Code === 'ConditionalCheckFailed' ? [{ position, item: reason.Item }] : [],
  );
}

const PASSING_REASONS = new Set(['None', 'TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']);

/** A cancelled transaction counts as a refusal by the SDK, though most reasons pass. */
function cancelledKind(error: unknown, kind: FailureKind): FailureKind {
  const reasons = cancellationReasons(error);
  if (reasons.length === 0) return kind;
  return reasons.every(({ Code }) => PASSING_REASONS.has(Code ?? 'None')) ? 'not-applied' : 'rejected';
}

function tablesOf(request: AppendRequest): readonly (string | undefined)[] {
  if (request.kind === 'put') return [request.input.TableName];
  return (request.input.TransactItems ?? []).map((write) => actionOf(write).TableName);
}
