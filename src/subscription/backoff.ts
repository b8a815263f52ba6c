import { setTimeout as sleep } from 'node:timers/promises';
import { CommitOutcomeUnknownError, EventStoreUnavailableError, OperationAbortedError } from '../store/store-errors.js';
import { isOf } from './thrown.js';

const FIRST_CEILING_MS = 400;
const LAST_CEILING_MS = 15_000;

/** Waits a random time below a ceiling that doubles with each attempt: "full jitter" (AWS Builders' Library). */
export async function backoff(attempt: number, signal: AbortSignal): Promise<void> {
  await pause(Math.random() * Math.min(LAST_CEILING_MS, FIRST_CEILING_MS * 2 ** attempt), signal);
}

/** A timer of Node overflows at 25 days, and is over at once then. */
const LONGEST_MS = 24 * 3_600_000;

/** Waits, or until the signal; never longer than a day, after which who waits for more looks again. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(Math.max(0, milliseconds), LONGEST_MS), undefined, { signal }).catch(() => {});
}

/** Whether the database is to blame, which says nothing against what was to be done. */
export function isOutage(error: unknown): boolean {
  const types = [EventStoreUnavailableError, CommitOutcomeUnknownError, OperationAbortedError];
  return types.some((type) => isOf(type, error));
}

/** For what is tried again by others, or need not be done. @throws what is no outage */
export function ignoreOutage(error: unknown): void {
  if (!isOutage(error)) throw error;
}
