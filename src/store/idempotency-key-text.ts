import { joinedKey } from '../event/stream-id.js';
import type { IdempotencyKey } from './idempotency.js';
import { InvalidCommitError } from './store-errors.js';

const MAX_KEY_LENGTH = 255;

/**
 * One text for a key, the tenant first.
 *
 * @throws InvalidCommitError when the key is empty, too long or not well-formed Unicode
 */
export function idempotencyKeyText({ tenantId, command, key }: IdempotencyKey): string {
  if (typeof key !== 'string' || key === '' || key.length > MAX_KEY_LENGTH || !key.isWellFormed()) {
    throw new InvalidCommitError(
      `The idempotency key of ${command} must be a string of 1 to ${MAX_KEY_LENGTH} characters of well-formed Unicode.`,
    );
  }
  return joinedKey(tenantId, 'command', command, key);
}
