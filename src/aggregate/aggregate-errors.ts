import { EventStoreError } from '../event/event-store-error.js';
import { streamName, type StreamId } from '../event/stream-id.js';

/** `load` found no events under this id. Use `find` where that is no error. */
export class AggregateNotFoundError extends EventStoreError {
  readonly code = 'AGGREGATE_NOT_FOUND';

  constructor(readonly stream: StreamId) {
    super(`There is no ${streamName(stream)}.`);
  }
}

/** Aggregate classes that cannot work as they are declared; thrown at start-up. */
export class AggregateRegistrationError extends EventStoreError {
  readonly code = 'AGGREGATE_REGISTRATION';
}

/** An event that the aggregate has no method for, at `apply` or while loading. */
export class MissingApplierError extends EventStoreError {
  readonly code = 'MISSING_APPLIER';

  constructor(aggregateClass: string, eventClass: string, isEventClass: boolean) {
    super(
      isEventClass
        ? `${aggregateClass} has no applier for ${eventClass}: add a method with @On(${eventClass}), or list the event in ignores of @Aggregate when it changes no state.`
        : `${eventClass} is no event class: decorate it with @EventType('…'), and add a method with @On(${eventClass}) to ${aggregateClass}. (apply takes an instance of an event class.)`,
    );
  }
}

/** The aggregate takes no more events: an applier threw, it is read only, or its command has finished. */
export class AggregateUnusableError extends EventStoreError {
  readonly code = 'AGGREGATE_UNUSABLE';
}

/** Work for a command that is not running, or has finished. */
export class UnitOfWorkClosedError extends EventStoreError {
  readonly code = 'UNIT_OF_WORK_CLOSED';
}

/**
 * A nested command applied events and then failed, and its caller went on. Its events cannot be taken back out of
 * the shared aggregates, so nothing of the whole command was stored.
 */
export class NestedCommandFailedError extends EventStoreError {
  readonly code = 'NESTED_COMMAND_FAILED';

  constructor(cause: unknown) {
    super(
      'A nested command failed after it had applied events, so nothing was stored. Let its error through, or put @OwnUnitOfWork() on its handler to store it apart.',
      { cause },
    );
  }
}
