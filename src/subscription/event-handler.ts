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
   * @throws whatever its own code throws
   */
  handle(events: readonly StoredEvent[]): Promise<void>;
}
