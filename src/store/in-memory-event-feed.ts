import { streamKey, type StreamId } from '../event/stream-id.js';
import { EventFeed, positionAt, timeOf, type FeedPage, type FeedPace } from './event-feed.js';
import type { ReadRange } from './event-store.js';
import type { InMemoryEventStore } from './in-memory-event-store.js';
import { versionRange } from './read-range.js';
import type { StoredEvent } from './stored-event.js';

const PAGE = 1000;

/** The feed of the in-memory store: one partition for each aggregate type, and never late. */
export class InMemoryEventFeed extends EventFeed {
  // All times are of one clock, so that only what is stored within the running millisecond may still come before others.
  override readonly pace: FeedPace = { marginMs: 2, pollMs: 20 };

  /** For each event of a log, the latest time of all up to it. */
  private readonly latest = new Map<string, number[]>();

  constructor(private readonly store: InMemoryEventStore) {
    super();
  }

  override partitionsOf(aggregateType: string): readonly string[] {
    return [aggregateType];
  }

  override partitionOf({ aggregateType }: StreamId): string {
    return aggregateType;
  }

  override positionOf({ stream, eventTime }: Pick<StoredEvent, 'stream' | 'eventTime'>): string {
    return `${positionAt(eventTime)}#${streamKey(stream)}`;
  }

  override async read(partition: string, from: string, to: number): Promise<FeedPage> {
    const log = this.store.logOf(partition);
    const found = log
      .slice(this.firstFrom(partition, log, timeOf(from)))
      .filter(({ eventTime }) => eventTime <= to)
      .map((event) => ({ position: this.positionOf(event), event }))
      .filter(({ position }) => position >= from)
      .toSorted((one, other) => (one.position < other.position ? -1 : 1));
    return { events: found.slice(0, PAGE), more: found.length > PAGE };
  }

  override async *readStream(stream: StreamId, range: ReadRange): AsyncIterable<StoredEvent> {
    const { from, to, forward, limit } = versionRange(range);
    const events = this.store.storedEvents(stream).slice(from - 1, to);
    yield* (forward ? events : events.toReversed()).slice(0, limit);
  }

  /** The first event of that time or later. Times may fall from one stream's event to another's, but not the latest. */
  private firstFrom(partition: string, log: readonly StoredEvent[], time: number): number {
    const latest = this.latest.get(partition) ?? [];
    this.latest.set(partition, latest);
    for (let at = latest.length; at < log.length; at++) latest.push(Math.max(latest[at - 1] ?? 0, log[at]!.eventTime));
    let [low, high] = [0, log.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (latest[middle]! >= time) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
