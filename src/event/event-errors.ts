import { EventStoreError } from './event-store-error.js';

/** An event, or a part of it, could not come back from the store as it went in. Nothing was written. */
export class UnserializableEventError extends EventStoreError {
  readonly code = 'UNSERIALIZABLE_EVENT';

  constructor(
    /** What was to be stored: an event type, or `snapshot of …`. */
    readonly subject: string,
    /** Where the offending value stands, such as `$.lines[3].price`. */
    readonly path: string,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`${subject}: the value at ${path} cannot be stored: ${reason}.`, options);
  }
}

/** A stored event names a type, or a schema version of a type, that this application has not registered. */
export class UnknownEventTypeError extends EventStoreError {
  readonly code = 'UNKNOWN_EVENT_TYPE';

  constructor(
    readonly eventType: string,
    fix: string,
  ) {
    super(`Unknown event type "${eventType}": ${fix}`);
  }
}

/**
 * An event broke the class-validator rules of its class, or what goes with it is no text: its metadata, a unique value, the
 * idempotency key of a command. Nothing was written.
 */
export class InvalidEventError extends EventStoreError {
  readonly code = 'INVALID_EVENT';

  constructor(
    /** The event type, or what else is not valid, such as `The metadata of the events`. */
    readonly eventType: string,
    /** What is broken: property paths with the names of the rules, such as `amount (isInt)`. */
    readonly violations: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`${eventType} is not valid: ${violations.join(', ')}.`, options);
  }
}

/** Event classes, aliases or value types that contradict each other; thrown at start-up. */
export class EventRegistrationError extends EventStoreError {
  readonly code = 'EVENT_REGISTRATION';
}

/** Stored bytes that are not what this package writes: changed by hand, or damaged. */
export class CorruptStreamError extends EventStoreError {
  readonly code = 'CORRUPT_STREAM';
}

/** A stream id, or what a query asks for, that cannot be a key: an empty or ill-formed part, or too long. */
export class InvalidStreamIdError extends EventStoreError {
  readonly code = 'INVALID_STREAM_ID';
}
