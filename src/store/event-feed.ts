import type { StreamId } from '../event/stream-id.js';
import type { ReadRange } from './event-store.js';
import type { StoredEvent, UnreadableEvent } from './stored-event.js';

/** An event with its place in the feed. */
export interface FeedEvent {
  readonly position: string;
  readonly event: StoredEvent | UnreadableEvent;
}

export interface FeedPage {
  readonly events: readonly FeedEvent[];
  /** Whether there may be more events in the range, behind the last of these. */
  readonly more: boolean;
}

/** How a feed is best followed. */
export interface FeedPace {
  /** How old an event is to be before it is read, as its neighbours may show later; in milliseconds. */
  readonly marginMs: number;
  /** How long to wait before asking again where there was nothing new; in milliseconds. */
  readonly pollMs: number;
}

/**
 * All events of an aggregate type by time, in partitions. A stream lies in one of them. A feed may show an event late,
 * and its later neighbours before it; who follows it copes with that.
 */
export abstract class EventFeed {
  abstract readonly pace: FeedPace;

  abstract partitionsOf(aggregateType: string): readonly string[];

  /** The one of them in which a stream lies. */
  abstract partitionOf(stream: StreamId): string;

  /** The place of an event. */
  abstract positionOf(event: Pick<StoredEvent, 'stream' | 'eventTime'>): string;

  /**
   * A page of a partition's events, in the order of their positions.
   *
   * @param from a position, inclusive
   * @param to milliseconds since 1970, inclusive
   * @param limit how many are wanted, where not a whole page
   */
  abstract read(partition: string, from: string, to: number, signal?: AbortSignal, limit?: number): Promise<FeedPage>;

  /** How many events a partition has in a range; costs the read units of reading them. */
  async count(partition: string, from: string, to: number): Promise<number> {
    let count = 0;
    for (let [start, more] = [from, true]; more;) {
      const page = await this.read(partition, start, to);
      const unread = page.events.filter(({ position }) => position > start);
      count += unread.length;
      more = page.more && unread.length > 0;
      start = unread.at(-1)?.position ?? start;
    }
    return count;
  }

  /** A stream's events as they are stored, with nothing late and nothing missing. */
  abstract readStream(stream: StreamId, range: ReadRange): AsyncIterable<StoredEvent>;
}

/** Later than every event, in milliseconds since 1970: up to here a read has no end. */
export const END_OF_TIME = Date.UTC(9999, 11, 31);

/** The position before all events of a time, and behind all before it. */
export function positionAt(time: number): string {
  return new Date(time).toISOString();
}

/** The time of the event at a position, or of a position between events; in milliseconds since 1970. */
export function timeOf(position: string): number {
  return Date.parse(position.slice(0, positionAt(0).length));
}
