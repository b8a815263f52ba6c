import { streamKey, type StreamId } from '../../src/event/stream-id.js';
import { EventFeed, positionAt, type FeedEvent, type FeedPage, type FeedPace } from '../../src/store/event-feed.js';
import type { ReadRange } from '../../src/store/event-store.js';
import { versionRange } from '../../src/store/read-range.js';
import type { StoredEvent } from '../../src/store/stored-event.js';
import type { Random } from '../campaigns/random.js';
import { hashOf } from './hash.js';

export interface Untidiness {
  /** Every entry of the index is up to so much late, in milliseconds. */
  readonly usualLagMs: number;
  /** And one of so many up to so much. */
  readonly lateOnceIn: number;
  readonly lateMs: number;
}

export interface FeedAppend {
  /** How many events the commit has. */
  readonly events?: number;
  /** How much later the index shows them, where that is not left to chance; in milliseconds. */
  readonly lateMs?: number;
}

/** What the index has in a place. One that is no event, as somebody else's item, takes up room in a page and does not show. */
interface Entry {
  readonly position: string;
  readonly event?: FeedEvent['event'];
}

const PARTITIONS = 4;
/** So many entries it shows at once. */
export const PAGE = 300;

/**
 * A feed such as an index of DynamoDB may be and DynamoDB Local never is: entries show late, some of them very, and
 * their times are those of writers whose clocks differ. Streams are read as they are.
 */
export class UntidyFeed extends EventFeed {
  override readonly pace: FeedPace = { marginMs: 1000, pollMs: 500 };
  private readonly streams = new Map<string, StoredEvent[]>();
  private readonly shown = Array.from({ length: PARTITIONS }, (): Entry[] => []);
  private hidden: { readonly from: number; readonly partition: number; readonly entry: Entry }[] = [];
  late = 0;

  constructor(
    private readonly random: Random,
    private readonly untidiness: Untidiness,
  ) {
    super();
  }

  /** Stores the next events of a stream in one commit, by a writer whose clock says so. */
  append(stream: StreamId, clock: number, { events = 1, lateMs }: FeedAppend = {}): readonly StoredEvent[] {
    const key = streamKey(stream);
    const known = this.streams.get(key) ?? [];
    this.streams.set(key, known);
    const firstVersion = known.length + 1;
    const firstTime = Math.max(Math.round(clock), (known.at(-1)?.eventTime ?? 0) + 1);
    const stored = Array.from({ length: events }, (_, index): StoredEvent => ({
      stream,
      version: firstVersion + index,
      eventId: `${key}-${firstVersion + index}`,
      eventTime: firstTime + index,
      eventType: 'test.MoneyDeposited',
      schemaVersion: 1,
      eventData: '{"amount":1,"currency":"EUR"}',
      metadata: {},
      commitId: `${key}-${firstVersion}`,
      commitIndex: index,
      commitSize: events,
    }));
    known.push(...stored);
    for (const event of stored) this.hide(key, { position: this.positionOf(event), event }, lateMs ?? this.lateness());
    return stored;
  }

  /**
   * Shows beside an event, at once, its entry as one that cannot be read, and then some of somebody else. The event's own
   * entry still shows when it would.
   */
  showOthers(event: StoredEvent, strangers: number): void {
    const { stream, version, eventTime } = event;
    const position = this.positionOf(event);
    const entries: Entry[] = [{ position, event: { stream, version, eventTime } }];
    for (let count = 0; count < strangers; count++) entries.push({ position: `${position}#${count}` });
    for (const entry of entries) this.hide(streamKey(stream), entry, 0);
  }

  /** Whether every entry shows. */
  get isComplete(): boolean {
    this.show();
    return this.hidden.length === 0;
  }

  override partitionsOf(): readonly string[] {
    return Array.from({ length: PARTITIONS }, (_, partition) => String(partition));
  }

  override partitionOf(stream: StreamId): string {
    return String(partitionOf(streamKey(stream)));
  }

  override positionOf({ stream, eventTime }: Pick<StoredEvent, 'stream' | 'eventTime'>): string {
    return `${positionAt(eventTime)}#${streamKey(stream)}`;
  }

  override async read(partition: string, from: string, to: number): Promise<FeedPage> {
    this.show();
    const entries = this.shown[Number(partition)]!;
    const end = placeOf(entries, `${positionAt(to)}$`);
    for (let start = placeOf(entries, from); ; start += PAGE) {
      const events = entries.slice(start, Math.min(end, start + PAGE)).filter(isFeedEvent);
      const more = start + PAGE < end;
      // As the real one: a page of strangers does not say from where on to read.
      if (!more || events.some(({ position }) => position > from)) return { events, more };
    }
  }

  override async *readStream(stream: StreamId, range: ReadRange): AsyncIterable<StoredEvent> {
    const { from, to, forward, limit } = versionRange(range);
    const events = (this.streams.get(streamKey(stream)) ?? []).slice(from - 1, to);
    yield* (forward ? events : events.toReversed()).slice(0, limit);
  }

  private lateness(): number {
    const { usualLagMs, lateMs, lateOnceIn } = this.untidiness;
    const isLate = this.random.below(lateOnceIn) === 0;
    if (isLate) this.late++;
    return this.random.next() * (isLate ? lateMs : usualLagMs);
  }

  private hide(key: string, entry: Entry, lateMs: number): void {
    this.hidden.push({ from: Date.now() + lateMs, partition: partitionOf(key), entry });
  }

  private show(): void {
    const now = Date.now();
    const due = this.hidden.filter(({ from }) => from <= now);
    if (due.length === 0) return;
    this.hidden = this.hidden.filter(({ from }) => from > now);
    for (const { partition, entry } of due) {
      const entries = this.shown[partition]!;
      entries.splice(placeOf(entries, entry.position), 0, entry);
    }
  }
}

function isFeedEvent(entry: Entry): entry is FeedEvent {
  return entry.event !== undefined;
}

/** Where a position stands, or would. */
function placeOf(entries: readonly Entry[], position: string): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.position >= position) high = middle;
    else low = middle + 1;
  }
  return low;
}

function partitionOf(key: string): number {
  return hashOf(key) % PARTITIONS;
}
