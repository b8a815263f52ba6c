import type { EventMetadata } from './event-metadata.js';
import type { StreamId } from './stream-id.js';

/** An event as it stands in the store. */
export interface RecordedEvent<E extends object = object> {
  readonly stream: StreamId;
  /** Position in the stream, dense from 1. */
  readonly version: number;
  readonly eventId: string;
  /** The durable name it was stored under, which may be an alias by now. */
  readonly eventType: string;
  /** The schema version it was stored with; `event` has the current shape. */
  readonly schemaVersion: number;
  /** When it was stored, in the clock of the writer; grows by at least 1 ms from version to version. */
  readonly eventTime: Date;
  /** The instance of the event class. */
  readonly event: E;
  readonly metadata: EventMetadata;
  /** Shared by all events that were stored atomically together. */
  readonly commitId: string;
}

/**
 * What one stored event is read as: itself; several events, or none, where an upcast step splits or drops it. Each of
 * several has the same version.
 */
export interface RecordedVersion {
  readonly version: number;
  readonly eventTime: Date;
  readonly events: readonly RecordedEvent[];
}

const recordings = new WeakMap<object, RecordedEvent>();

/** Remembers the recording of an event instance, for `recordedEventOf`. */
export function rememberRecording(recorded: RecordedEvent): void {
  recordings.set(recorded.event, recorded);
}

/**
 * Version, time and metadata of an event that a plain `@EventsHandler` or `@Saga` of `@nestjs/cqrs` received.
 *
 * @throws TypeError when this instance was neither stored by nor loaded from an event store of this process
 */
export function recordedEventOf<E extends object>(event: E): RecordedEvent<E> {
  const recorded = recordings.get(event);
  if (!recorded) {
    throw new TypeError(
      'This event has not been recorded: only an instance that was stored or loaded here has a version.',
    );
  }
  return recorded as RecordedEvent<E>;
}
