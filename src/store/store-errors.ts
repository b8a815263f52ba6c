import { EventStoreError } from '../event/event-store-error.js';
import { streamName, type StreamId } from '../event/stream-id.js';
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
    readonly unit: 'events' | 'bytes',
  ) {
    super(`${what} has ${size} ${unit} as stored, and the limit is ${limit}: ${fix(unit)}`);
  }
}

function fix(unit: 'events' | 'bytes'): string {
  return unit === 'events'
    ? 'split the work into several commands.'
    : 'split it, or keep large contents in Amazon S3 and their key in the event.';
}

/**
 * The deadline passed before it could be learned whether the commit was stored. Nothing may be decided anew until
 * that is known: look for an event with this commitId in the streams.
 */
export class CommitOutcomeUnknownError extends EventStoreError {
  readonly code = 'COMMIT_OUTCOME_UNKNOWN';

  constructor(
    readonly commitId: string,
    readonly streams: readonly StreamId[],
    lastFailure: string,
  ) {
    super(
      `It is unknown whether commit ${commitId} was stored (${lastFailure}). Read ${streams.map(streamName).join(', ')} and look for this commitId before you try again.`,
    );
  }
}

/** The database could not be reached, or refused, until the deadline. Nothing was written. */
export class EventStoreUnavailableError extends EventStoreError {
  readonly code = 'EVENT_STORE_UNAVAILABLE';
}

/** A commit that makes no sense, such as the same stream twice. Nothing was written. */
export class InvalidCommitError extends EventStoreError {
  readonly code = 'INVALID_COMMIT';
}
