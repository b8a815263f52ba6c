import type { StoredEvent } from '../store/stored-event.js';

/** What a subscription does with its events. */
export interface EventHandler {
  /** How many events it takes at once, at most. */
  readonly batch: number;

  /** Whether it has anything to do with events of this type; others only pass. */
  wants(eventType: string): boolean;

  /**
   * Handles events, those of one stream in their order. When it throws, it may have handled some of them.
   *
   * @param signal the partition is given up: what can be left is to be left
   * @param handled told of events that are done, where it ends without the others; all are when it returns
   * @throws whatever its own code throws
   */
  handle(events: readonly StoredEvent[], signal: AbortSignal, handled: (event: StoredEvent) => void): Promise<void>;

  /** Told of an event that cannot be read, before it is parked. */
  unreadable?(error: unknown): void;

  /** Handles one event whose turn has passed, where that is another matter. */
  handleLate?(event: StoredEvent): Promise<void>;
}
