import { AggregateRegistry } from '../aggregate/aggregate-registry.js';
import type { EventRegistry } from '../event/event-registry.js';
import { storedBytes } from '../event/compression.js';
import { classOf } from '../event/event-type.js';
import type { StreamHead } from '../store/commit.js';
import { assertEventSizes, COMMIT_LIMITS } from '../store/commit-limits.js';
import { ANY_VERSION } from '../store/expected-version.js';
import { prepareCommit } from '../store/prepare-commit.js';
import { placeEvents, type StoredEvent } from '../store/stored-event.js';
import type { RecordedHistory } from './recorded-history.js';

/** Brings the events of a test into the form in which a store keeps them, one commit behind the other. */
export class StoredHistory {
  private readonly heads = new Map<string, StreamHead>();
  private readonly aggregates: AggregateRegistry;

  constructor(private readonly registry: EventRegistry) {
    this.aggregates = new AggregateRegistry(registry);
  }

  /** @throws what a store throws that cannot store them */
  append({ aggregate, id, events, options }: RecordedHistory): readonly StoredEvent[] {
    const { tenantId, metadata = {}, at = new Date() } = options;
    const stream = {
      aggregateType: this.registered(aggregate, events),
      aggregateId: id,
      ...(tenantId !== undefined && { tenantId }),
    };
    const stored: StoredEvent[] = [];
    for (let start = 0; start < events.length; start += COMMIT_LIMITS.events) {
      const some = events.slice(start, start + COMMIT_LIMITS.events);
      const commit = prepareCommit(
        { appends: [{ stream, events: some, expectedVersion: ANY_VERSION }], metadata },
        this.registry,
      );
      const [prepared] = commit.appends;
      const head = this.heads.get(prepared!.key) ?? { version: 0, eventTime: 0 };
      const placed = placeEvents(commit, prepared!, head, at.getTime());
      assertEventSizes(placed.map(({ eventType, eventData }) => ({ eventType, bytes: storedBytes(eventData) })));
      this.heads.set(prepared!.key, placed.at(-1)!);
      stored.push(...placed);
    }
    return stored;
  }

  /** The durable name of the aggregate, whose events can be stored from here on. */
  private registered(aggregate: RecordedHistory['aggregate'], events: readonly object[]): string {
    if (typeof aggregate !== 'string') return this.aggregates.register(aggregate).name;
    this.registry.register(...events.map((event) => classOf(event)));
    return aggregate;
  }
}
