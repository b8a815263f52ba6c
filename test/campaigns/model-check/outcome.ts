import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { ANY_VERSION, type CommitResult, type ExpectedVersion, type StreamId } from '../../../src/index.js';

/** What a caller can tell of an error. */
export interface ErrorFacts {
  readonly class: string;
  readonly code: string | undefined;
  readonly stream: StreamId | undefined;
  readonly expectedVersion: ExpectedVersion | undefined;
  readonly actualVersion: number | undefined;
  readonly message: string;
}

export type Outcome<T> = { readonly value: T; readonly error?: never } | { readonly error: ErrorFacts };

export async function outcomeOf<T>(run: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await run() };
  } catch (thrown) {
    const error = thrown as Error & Partial<ErrorFacts>;
    const { code, stream, expectedVersion, actualVersion, message } = error;
    return { error: { class: error.constructor.name, code, stream, expectedVersion, actualVersion, message } };
  }
}

/** The stores disagree, or one of them with the journal. */
export class DisagreementError extends Error {
  override readonly name = 'DisagreementError';
}

export function assertEqual(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new DisagreementError(`${what} is ${fc.stringify(actual)}, and should be ${fc.stringify(expected)}.`);
}

/** Events for one stream at a known version. */
export interface Part {
  readonly stream: StreamId;
  readonly head: number;
  readonly expected: ExpectedVersion;
  readonly events: number;
}

/** What a store must answer to a commit that is not a matter of versions. */
export type Refusal = 'UNSERIALIZABLE_EVENT' | 'COMMIT_TOO_LARGE' | 'INVALID_COMMIT' | 'HANDLER_FAILED';

/** Whether it was stored, after checking that it had to end as it did. */
export function assertCommitOutcome(
  name: string,
  outcome: Outcome<CommitResult | void>,
  parts: readonly Part[],
  refusal?: Refusal,
): boolean {
  const written = parts.filter(({ events }) => events > 0);
  const conflicts = written.filter(({ expected, head }) => expected !== ANY_VERSION && expected !== head);
  if (outcome.error) {
    const { error } = outcome;
    if (refusal !== undefined)
      assertEqual(`${name}: the code of ${error.class} (${error.message})`, error.code, refusal);
    else if (conflicts.length === 0) throw new DisagreementError(`${name}: ${error.class}: ${error.message}`);
    else {
      assertEqual(`${name}: the code of ${error.class} (${error.message})`, error.code, 'CONCURRENCY');
      assertEqual(`${name}: the class of the error`, error.class, 'ConcurrencyError');
      // Which of several conflicts is reported is left open.
      const conflict = conflicts.find(({ stream }) => isDeepStrictEqual(stream, error.stream));
      assertEqual(`${name}: the expected version`, error.expectedVersion, conflict?.expected);
      assertEqual(`${name}: the actual version`, error.actualVersion, conflict?.head);
    }
    return false;
  }
  if (refusal !== undefined) throw new DisagreementError(`${name}: stored, and should be refused with ${refusal}.`);
  if (conflicts.length > 0) throw new DisagreementError(`${name}: stored in spite of ${fc.stringify(conflicts)}.`);
  if (outcome.value) {
    const appended = written.map(({ stream, head, events }) => ({ stream, version: head + events }));
    assertEqual(`${name}: what was appended`, outcome.value.appended, appended);
  }
  return true;
}
