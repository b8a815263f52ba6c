import { createHash } from 'node:crypto';
import { InvalidEventError } from '../event/event-errors.js';
import { joinedKey, streamKey, streamName, type StreamId } from '../event/stream-id.js';
import { textFault } from '../event/text-fault.js';
import type { UniqueChange } from './commit.js';
import { InvalidCommitError, UniqueConstraintError } from './store-errors.js';

/** What a commit makes of one value, whatever the order in which its aggregates changed it. */
export interface UniqueWrite {
  readonly key: string;
  readonly constraint: string;
  /** The aggregate that takes the value or gives it free. */
  readonly stream: StreamId;
  /** Whether the aggregate holds the value afterwards; otherwise nobody does. */
  readonly held: boolean;
  /** Keys of the streams one of which may hold it before; so may nobody. */
  readonly holdersBefore: readonly string[];
}

/**
 * Nets the changes of a commit: a value may pass from one aggregate to another in it.
 *
 * @throws UniqueConstraintError when two aggregates of the commit want the same value
 * @throws InvalidEventError when a value is no text, as it comes from input
 * @throws InvalidCommitError when a name is none
 */
export function uniqueWrites(changes: readonly UniqueChange[]): readonly UniqueWrite[] {
  const byKey = new Map<string, Map<string, UniqueChange>>();
  for (const change of changes) {
    const key = uniqueKey(change);
    const perStream = byKey.get(key) ?? new Map<string, UniqueChange>();
    byKey.set(key, perStream.set(streamKey(change.stream), change));
  }
  return [...byKey].map(([key, perStream]) => {
    const [holder, rival] = [...perStream.values()].filter(({ action }) => action === 'reserve');
    if (rival) throw new UniqueConstraintError(rival.constraint, rival.stream);
    const { constraint, stream } = holder ?? [...perStream.values()][0]!;
    return { key, constraint, stream, held: holder !== undefined, holdersBefore: [...perStream.keys()] };
  });
}

/** The value is hashed: it may be longer than a key, and keys stand in logs where the value must not. */
function uniqueKey({ stream, constraint, value }: UniqueChange): string {
  if (typeof constraint !== 'string' || constraint === '' || !constraint.isWellFormed()) {
    throw new InvalidCommitError(`${streamName(stream)} names a unique value by something that is no text.`);
  }
  const fault = textFault(value);
  if (fault) {
    throw new InvalidEventError(`The unique value "${constraint}" of ${streamName(stream)}`, [`value (${fault})`]);
  }
  return joinedKey(stream.tenantId, 'unique', constraint, createHash('sha256').update(value).digest('hex'));
}

/** Somebody else holds the value before the commit. */
export function heldByAnother({ constraint, stream, held }: UniqueWrite): UniqueConstraintError {
  return new UniqueConstraintError(constraint, stream, held ? 'reserve' : 'release');
}
