import type { RecordedEvent } from '../event/recorded-event.js';

/** What to follow, and under which name how far it has come is kept. */
export interface SubscribeOptions {
  /** Durable and unique: who subscribes again under it goes on where it stopped. */
  readonly name: string;
  readonly aggregateTypes: readonly string[];
  /** Where it begins the first time: at the first event, or at a time. Default `beginning`. */
  readonly from?: 'beginning' | Date;
  /** Ends the subscription, as leaving the loop does. */
  readonly signal?: AbortSignal;
}

/**
 * Events as they come, at least once, and in order for each aggregate. The loop never ends by itself, but when the
 * application closes; a second loop needs another subscription. What was not acknowledged when it is left comes again
 * next time.
 */
export interface EventSubscription extends AsyncIterable<RecordedEvent> {
  /**
   * The event is done with. What one read of a slice of a type has brought, up to 1,000 events and often a single one, has
   * to be acknowledged before the next ones of that slice come: never wait for more events before acknowledging those
   * that are there. Nothing happens when it came before, or another process has taken over meanwhile.
   *
   * @throws SubscriptionError for anything but an event of this loop, such as a copy of one
   */
  ack(recorded: RecordedEvent): void;
}

/** Begins to follow events; what reads them is put together elsewhere. */
export type Subscribe = (options: SubscribeOptions) => EventSubscription;
