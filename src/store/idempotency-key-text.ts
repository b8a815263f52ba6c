import { InvalidEventError } from '../event/event-errors.js';
import { joinedKey } from '../event/stream-id.js';
import { textFault } from '../event/text-fault.js';
import type { IdempotencyKey } from './idempotency.js';

const MAX_KEY_LENGTH = 255;

/**
 * One text for a key, the tenant first.
 *
 * @throws InvalidEventError when the key is no text, empty or too long, as it comes from input
 */
export function idempotencyKeyText({ tenantId, command, key }: IdempotencyKey): string {
  const fault = textFault(key) ?? (key.length > MAX_KEY_LENGTH ? `over ${MAX_KEY_LENGTH} characters` : undefined);
  if (fault) throw new InvalidEventError(`The idempotency key of ${command}`, [`key (${fault})`]);
  return joinedKey(tenantId, 'command', command, key);
}
