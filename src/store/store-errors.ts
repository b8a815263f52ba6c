import { EventStoreError } from '../event/event-store-error.js';
import { streamName, type StreamId } from '../event/stream-id.js';
import type { CommitReference, UniqueChange } from './commit.js';
import type { IdempotencyKey } from './idempotency.js';
import { NO_STREAM, type ExpectedVersion } from './expected-version.js';

/** Another commit came first: the stream is not at the expected version. Nothing was written; load again and retry. */
export class ConcurrencyError extends EventStoreError {
  readonly code = 'CONCURRENCY';

  constructor(
    readonly stream: StreamId,
    readonly expectedVersion: ExpectedVersion,
    readonly actualVersion: number,
  ) {
    super(
      expectedVersion === NO_STREAM
        ? `${streamName(stream)} exists already, at version ${actualVersion}: choose another id, or load it.`
        : `${streamName(stream)} is at version ${actualVersion}, and version ${expectedVersion} was expected: load it again and decide anew.`,
    );
  }
}

/** A commit that DynamoDB would refuse for its size. Nothing was written. */
export class CommitTooLargeError extends EventStoreError {
  readonly code = 'COMMIT_TOO_LARGE';

  constructor(
    /** What is too large: the commit, or an event of it with its type. */
    readonly what: string,
    readonly size: number,
    readonly limit: number,
    readonly unit: 'events' | 'writes' | 'bytes',
  ) {
    super(`${what} has ${size} ${unit} as stored, and the limit is ${limit}: ${fix(unit)}`);
  }
}

function fix(unit: CommitTooLargeError['unit']): string {
  return unit === 'bytes'
    ? 'split it, or keep large contents in Amazon S3 and their key in the event.'
    : 'split the work into several commands.';
}

/**
 * The deadline passed, or the caller's signal came, before it could be learned whether the commit was stored. Nothing
 * may be decided anew until that is known: `eventStore.outcomeOf(error)` settles it later.
 */
export class CommitOutcomeUnknownError extends EventStoreError implements CommitReference {
  readonly code = 'COMMIT_OUTCOME_UNKNOWN';

  constructor(
    readonly commitId: string,
    /** Where the commit was to be stored: each stream with the version that its events follow, and the first one's id. */
    readonly appends: readonly {
      readonly stream: StreamId;
      readonly expectedVersion: number;
      readonly eventId?: string;
    }[],
    lastFailure: string,
    /** When its last request was given up. One that was under way then may still arrive. */
    readonly lastAttemptAt: Date = new Date(),
    /** The idempotency key that it was to be stored with. */
    readonly idempotency: IdempotencyKey | undefined = undefined,
  ) {
    const names = appends.map(({ stream }) => streamName(stream)).join(', ') || 'no stream';
    super(
      `It is unknown whether commit ${commitId} to ${names} was stored (${lastFailure}). Ask eventStore.outcomeOf(error) before you try again.`,
    );
  }

  get streams(): readonly StreamId[] {
    return this.appends.map(({ stream }) => stream);
  }
}

/** The `AbortSignal` given to an operation ended it; the signal's reason is the `cause`. Nothing was written. */
export class OperationAbortedError extends EventStoreError {
  readonly code = 'OPERATION_ABORTED';

  constructor(reason: unknown) {
    super('The operation was ended by its AbortSignal. Nothing was written.', { cause: reason });
  }
}

/** The database could not be reached, or refused, until the deadline. No event was written. */
export class EventStoreUnavailableError extends EventStoreError {
  readonly code = 'EVENT_STORE_UNAVAILABLE';
}

/** A commit that makes no sense, such as the same stream twice. Nothing was written. */
export class InvalidCommitError extends EventStoreError {
  readonly code = 'INVALID_COMMIT';
}

/** Why a repeated command was refused: its body or its user differs, or the first one's result was too large or not storable. */
export type DuplicateReason = 'carried-out' | 'other-body' | 'result-not-kept';

const DUPLICATE: Record<DuplicateReason, string> = {
  'carried-out': 'has been carried out already. Nothing was stored again.',
  'other-body':
    'was carried out with another body, or for another user: use a new key for each new command, and the same only to repeat it.',
  'result-not-kept':
    'has been carried out already, and its result was not kept, as it was too large or could not be stored. Return less, such as an id.',
};

/** A command with this idempotency key has been carried out before, and its result cannot be given. Nothing was written. */
export class DuplicateCommandError extends EventStoreError {
  readonly code = 'DUPLICATE_COMMAND';

  constructor(
    readonly idempotency: IdempotencyKey,
    readonly reason: DuplicateReason = 'carried-out',
  ) {
    super(`A ${idempotency.command} with this idempotency key ${DUPLICATE[reason]}`);
  }
}

/** Another aggregate of the tenant holds the value, which one wants to reserve or to release. Nothing was written. */
export class UniqueConstraintError extends EventStoreError {
  readonly code = 'UNIQUE_CONSTRAINT';

  constructor(
    /** The name given to `reserve`, such as `email`. */
    readonly constraint: string,
    /** The aggregate that wanted it, or wanted to give it free. */
    readonly stream: StreamId,
    readonly action: UniqueChange['action'] = 'reserve',
  ) {
    super(
      action === 'reserve'
        ? `${streamName(stream)} cannot have this ${constraint}: another aggregate holds it. Choose another value.`
        : `${streamName(stream)} cannot release this ${constraint}: another aggregate holds it. Release what the aggregate itself has reserved.`,
    );
  }
}

/** `requireTenant` is set, and the operation names no tenant. Nothing was read or written. */
export class MissingTenantError extends EventStoreError {
  readonly code = 'MISSING_TENANT';

  constructor() {
    super(
      'No tenant is named, and requireTenant of EventStoreModule is set: run the work in CommandContext.run({ tenantId }, …), use CommandContextInterceptor, or give the stream its tenantId.',
    );
  }
}
