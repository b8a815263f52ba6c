/** Every code an error of this package can carry, to `switch` on. */
export type EventStoreErrorCode =
  | 'AGGREGATE_NOT_FOUND'
  | 'AGGREGATE_REGISTRATION'
  | 'AGGREGATE_UNUSABLE'
  | 'COMMIT_OUTCOME_UNKNOWN'
  | 'COMMIT_TOO_LARGE'
  | 'CONCURRENCY'
  | 'CORRUPT_STREAM'
  | 'DUPLICATE_COMMAND'
  | 'EVENT_REGISTRATION'
  | 'EVENT_STORE_UNAVAILABLE'
  | 'INVALID_COMMIT'
  | 'INVALID_CONFIGURATION'
  | 'INVALID_EVENT'
  | 'INVALID_STREAM_ID'
  | 'MISSING_APPLIER'
  | 'MISSING_TENANT'
  | 'NESTED_COMMAND_FAILED'
  | 'OPERATION_ABORTED'
  | 'PROJECTION'
  | 'SUBSCRIPTION'
  | 'TABLE'
  | 'TABLE_WRITE_REFUSED'
  | 'UNIQUE_CONSTRAINT'
  | 'UNIT_OF_WORK_CLOSED'
  | 'UNKNOWN_EVENT_TYPE'
  | 'UNSERIALIZABLE_EVENT';

/**
 * The family of all errors that this package throws. A message says what is wrong and how to mend it, names
 * streams, classes and property paths, and never holds a value from an event's payload.
 */
export abstract class EventStoreError extends Error {
  abstract readonly code: EventStoreErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, enumerable: false });
  }
}
