import type { EventRegistry } from '../event/event-registry.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import { streamKey } from '../event/stream-id.js';
import type { EventSubscription } from '../store/event-subscription.js';
import { OperationAbortedError } from '../store/store-errors.js';
import { recordedVersionFrom, type StoredEvent } from '../store/stored-event.js';
import type { EventHandler } from './event-handler.js';
import { SubscriptionError } from './subscription-errors.js';

/** So many events of a partition wait for their acknowledgement at most: of what one read has brought, all. */
const MAX_UNACKNOWLEDGED = 1000;

/** Hands events to a loop that pulls them, and takes each as handled when the loop says so. */
export class PulledEvents implements EventHandler, EventSubscription {
  readonly batch = MAX_UNACKNOWLEDGED;
  private readonly waiting = new Map<RecordedEvent, () => void>();
  private queue: RecordedEvent[] = [];
  /** All that the loop was given, as an acknowledgement may come late or twice. */
  private readonly given = new WeakSet<RecordedEvent>();
  private failure: { readonly error: unknown } | undefined;
  private iterated = false;
  private ended = false;
  private wake: () => void = () => {};

  /**
   * @param begun called when the loop begins
   * @param left called when the loop was left
   */
  constructor(
    private readonly registry: EventRegistry,
    private readonly begun: () => void,
    private readonly left: () => Promise<void>,
  ) {}

  wants(): boolean {
    return true;
  }

  async handle(
    stored: readonly StoredEvent[],
    signal: AbortSignal,
    handled: (event: StoredEvent) => void,
  ): Promise<void> {
    const open = this.decoded(stored);
    let giveUp = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        let left = open.reduce((sum, { waiting }) => sum + waiting.size, 0);
        if (left === 0) resolve();
        for (const { waiting } of open) {
          for (const recorded of waiting) {
            this.waiting.set(recorded, () => {
              waiting.delete(recorded);
              if (--left === 0) resolve();
            });
            this.queue.push(recorded);
          }
        }
        giveUp = () => reject(new OperationAbortedError(signal.reason));
        signal.addEventListener('abort', giveUp);
        this.wake();
      });
    } catch (error) {
      for (const event of doneInOrder(open)) handled(event);
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
      for (const { waiting } of open) for (const recorded of waiting) this.waiting.delete(recorded);
      // They come again, to whoever reads the partition then.
      this.queue = this.queue.filter((recorded) => this.waiting.has(recorded));
    }
  }

  unreadable(error: unknown): void {
    this.failure = { error };
    this.wake();
  }

  ack(recorded: RecordedEvent): void {
    if (!this.given.has(recorded)) {
      throw new SubscriptionError(
        'ack takes the very event that this subscription gave to its loop, and no copy of it: keep that object until it is done with.',
      );
    }
    const acknowledge = this.waiting.get(recorded);
    this.waiting.delete(recorded);
    acknowledge?.();
  }

  /** Lets the loop end. */
  end(): void {
    this.ended = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RecordedEvent, void> {
    // The loop that was left has ended what would bring events to another one.
    if (this.iterated) {
      throw new SubscriptionError('A subscription is for one loop: subscribe again, under the same name, for another.');
    }
    this.iterated = true;
    try {
      if (!this.ended) this.begun();
      for (;;) {
        const event = this.queue.shift();
        if (this.failure) throw this.failure.error;
        if (this.ended) return;
        if (!event) {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
        } else if (this.waiting.has(event)) {
          // Otherwise another process has taken over the partition meanwhile.
          this.given.add(event);
          yield event;
        }
      }
    } finally {
      await this.left();
    }
  }

  /**
   * What cannot be read ends the loop: nobody else would hear of it. It does so where it comes alone, as it does after it
   * has failed among others, so that the loop has handled those before it.
   */
  private decoded(stored: readonly StoredEvent[]): readonly OpenEvent[] {
    try {
      return stored.map((event) => ({ event, waiting: new Set(recordedVersionFrom(event, this.registry).events) }));
    } catch (error) {
      if (stored.length === 1) this.unreadable(error);
      throw error;
    }
  }
}

interface OpenEvent {
  readonly event: StoredEvent;
  readonly waiting: Set<RecordedEvent>;
}

/** The events that are acknowledged, of each stream up to the first that is not. */
function doneInOrder(events: readonly OpenEvent[]): readonly StoredEvent[] {
  const stuck = new Set<string>();
  return events
    .filter(({ event, waiting }) => {
      const key = streamKey(event.stream);
      if (waiting.size > 0) stuck.add(key);
      return !stuck.has(key);
    })
    .map(({ event }) => event);
}
