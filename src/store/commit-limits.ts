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

export function assertEventCount(events: number): void {
  if (events > COMMIT_LIMITS.events) {
    throw new CommitTooLargeError('The commit', events, COMMIT_LIMITS.events, 'events');
  }
}

/**
 * @param sizes the events with their sizes in bytes, as stored
 * @param overhead what each event adds to a commit beside its own size
 */
export function assertEventSizes(
  sizes: readonly { readonly eventType: string; readonly bytes: number }[],
  overhead = 0,
): void {
  for (const { eventType, bytes } of sizes) {
    if (bytes > COMMIT_LIMITS.eventBytes) {
      throw new CommitTooLargeError(`The event ${eventType}`, bytes, COMMIT_LIMITS.eventBytes, 'bytes');
    }
  }
  const total = sizes.reduce((sum, { bytes }) => sum + bytes + overhead, 0);
  if (total > COMMIT_LIMITS.commitBytes) {
    throw new CommitTooLargeError('The commit', total, COMMIT_LIMITS.commitBytes, 'bytes');
  }
}
