import { CommitTooLargeError } from './store-errors.js';

/** DynamoDB's limits (Amazon DynamoDB Developer Guide, "Quotas"), which the in-memory store keeps as well. */
export const COMMIT_LIMITS = {
  /** Actions of one TransactWriteItems. */
  events: 100,
  /** Bytes of one item, attribute names included. */
  eventBytes: 400 * 1024,
  /** Bytes of all items of one TransactWriteItems. */
  commitBytes: 4 * 1024 * 1024,
} as const;

/** @param others what is stored along with the events in the same transaction */
export function assertEventCount(events: number, others: number): void {
  if (events + others > COMMIT_LIMITS.events) {
    throw new CommitTooLargeError('The commit', events + others, COMMIT_LIMITS.events, 'events');
  }
}

/** @param count of all writes of the transaction, those of inline projections among them */
export function assertWriteCount(count: number): void {
  if (count > COMMIT_LIMITS.events) {
    throw new CommitTooLargeError('The commit, with its inline projections,', count, COMMIT_LIMITS.events, 'writes');
  }
}

/**
 * @param sizes the events with their sizes in bytes, as stored
 * @param total the size of the whole commit, with all that is stored or checked beside the events
 */
export function assertEventSizes(
  sizes: readonly { readonly eventType: string; readonly bytes: number }[],
  total = sizes.reduce((sum, { bytes }) => sum + bytes, 0),
): void {
  for (const { eventType, bytes } of sizes) {
    if (bytes > COMMIT_LIMITS.eventBytes) {
      throw new CommitTooLargeError(`The event ${eventType}`, bytes, COMMIT_LIMITS.eventBytes, 'bytes');
    }
  }
  if (total > COMMIT_LIMITS.commitBytes) {
    throw new CommitTooLargeError('The commit', total, COMMIT_LIMITS.commitBytes, 'bytes');
  }
}
