import type { TableWrite } from '../store/table-write.js';
import type { StoredEvent } from '../store/stored-event.js';
import type { InlineHandler } from './inline-handler.js';
import type { ProjectionHandler } from '../subscription/projection-handler.js';
import type { BookkeepingDouble } from './bookkeeping-double.js';

/** What came of events that were handed to a projection. */
export interface Delivered<T> {
  readonly projection: T;
  /** What a method threw, with which the delivery ended. */
  readonly thrown?: { readonly error: unknown };
  /** What was stored of `context.transaction`, in order. */
  readonly writes: readonly TableWrite[];
  /** Hands over the same events once more. */
  readonly again: () => Promise<Delivered<T>>;
}

/** Hands events to a projection as a subscription does: those that it wants, in batches, but each once and one after the other. */
export class ProjectionDelivery<T> {
  constructor(
    private readonly projection: T,
    private readonly handler: ProjectionHandler | InlineHandler,
    private readonly bookkeeping: BookkeepingDouble,
  ) {}

  async deliver(events: readonly StoredEvent[]): Promise<Delivered<T>> {
    const { projection, handler, bookkeeping } = this;
    const before = bookkeeping.projected.length;
    const wanted = events.filter(({ eventType }) => handler.wants(eventType));
    let thrown: Delivered<T>['thrown'];
    try {
      for (let start = 0; start < wanted.length; start += handler.batch) {
        await handler.handle(wanted.slice(start, start + handler.batch));
      }
    } catch (error) {
      thrown = { error };
    }
    const writes = bookkeeping.projected.slice(before).flatMap((transaction) => transaction.writes);
    return { projection, writes, again: () => this.deliver(events), ...(thrown && { thrown }) };
  }
}
