import { IteratorExpiredError, RecordsTrimmedError, type EventStream, type ShardPlace } from '../store/event-stream.js';
import type { StoredEvent } from '../store/stored-event.js';
import { backoff, isOutage, pause } from './backoff.js';

export interface StreamFollowerTiming {
  /** Between two reads of a shard, in milliseconds: DynamoDB takes five a second. */
  readonly readEveryMs: number;
  /** Between two looks for new shards, in milliseconds; one that ends is a reason to look at once. */
  readonly lookEveryMs: number;
}

export const STREAM_TIMING: StreamFollowerTiming = { readEveryMs: 200, lookEveryMs: 15_000 };

interface ShardState {
  /** Read to its end. */
  finished: boolean;
  /** Not in the stream any more. */
  gone: boolean;
}

/** Every so many failures in a row are worth a line in the log. */
const REPORT_EVERY = 10;

/**
 * Reads all shards of the stream from now on, and passes on what it finds. A shard that begins later is read from its
 * oldest record, after its parent. It stores no place: what it misses, or cannot read, is in the feed.
 */
export class StreamFollower {
  private ending: AbortController | undefined;
  private over: Promise<void> = Promise.resolve();
  /** Shards that were met, until they are gone from the stream. */
  private shards = new Map<string, ShardState>();
  private readonly reading = new Set<Promise<void>>();
  private napping = new AbortController();

  /**
   * @param found what came, in the order of the shard
   * @param missed called where there were records that only the feed brings any more
   */
  constructor(
    private readonly stream: EventStream,
    private readonly found: (events: readonly StoredEvent[]) => void,
    private readonly missed: () => void,
    private readonly report: (message: string) => void,
    private readonly timing: StreamFollowerTiming = STREAM_TIMING,
  ) {}

  start(): void {
    if (this.ending) return;
    this.ending = new AbortController();
    this.over = this.follow(this.ending.signal);
  }

  async stop(): Promise<void> {
    this.ending?.abort();
    this.napping.abort();
    await this.over;
    this.ending = undefined;
  }

  private async follow(signal: AbortSignal): Promise<void> {
    this.shards = new Map();
    for (let first = true, failures = 0; !signal.aborted;) {
      try {
        await this.look(first, signal);
        first = false;
        failures = 0;
        if (!signal.aborted) await this.nap();
      } catch (error) {
        this.reportNowAndThen(failures, error);
        await backoff(failures++, signal);
      }
    }
    await Promise.all(this.reading);
  }

  /** Until the next look, the end of a shard, or that of following. */
  private async nap(): Promise<void> {
    // In Node.js 20 a signal made of this one and the one that ends all would stay with that for ever.
    this.napping = new AbortController();
    await pause(this.timing.lookEveryMs, this.napping.signal);
  }

  /** Begins with the shards that are new, and whose parents are read to their end. */
  private async look(first: boolean, signal: AbortSignal): Promise<void> {
    const present = await this.stream.shards();
    const ids = new Set(present.map(({ id }) => id));
    for (const [id, state] of this.shards) {
      if (ids.has(id)) continue;
      state.gone = true;
      this.shards.delete(id);
    }
    for (const { id, parentId } of present) {
      if (this.shards.has(id)) continue;
      const parent = parentId !== undefined && ids.has(parentId) ? this.shards.get(parentId) : undefined;
      // Of those that are there at the beginning, no record is read that the feed may have shown long ago.
      if (!first && parentId !== undefined && ids.has(parentId) && !parent?.finished) continue;
      this.begin(id, first ? 'latest' : 'oldest', signal);
    }
  }

  private begin(id: string, place: ShardPlace, signal: AbortSignal): void {
    const state = { finished: false, gone: false };
    this.shards.set(id, state);
    const reading = this.readShard(id, place, state, signal).then(() => {
      this.reading.delete(reading);
      state.finished = !signal.aborted;
      // Its children may be there.
      this.napping.abort();
    });
    this.reading.add(reading);
  }

  /** Reads a shard to its end. */
  private async readShard(id: string, from: ShardPlace, state: ShardState, signal: AbortSignal): Promise<void> {
    let place = from;
    let iterator: string | undefined;
    for (let failures = 0; !signal.aborted && !state.gone;) {
      try {
        iterator ??= await this.stream.iterator(id, place);
        const { events, last, next } = await this.stream.read(iterator);
        failures = 0;
        if (last !== undefined) place = { after: last };
        if (events.length > 0 && !signal.aborted) this.found(events);
        if (next === undefined) return;
        iterator = next;
        await pause(this.timing.readEveryMs, signal);
      } catch (error) {
        if (error instanceof RecordsTrimmedError) {
          this.report('records of the stream were trimmed before they were read: their events come from the feed.');
          [place, iterator] = ['oldest', undefined];
          this.missed();
        } else if (error instanceof IteratorExpiredError) {
          iterator = undefined;
          // What came since the iterator was made is behind it, and before the next one.
          if (place === 'latest') this.missed();
        } else {
          this.reportNowAndThen(failures, error);
        }
        await backoff(failures++, signal);
      }
    }
  }

  private reportNowAndThen(failures: number, error: unknown): void {
    if (failures % REPORT_EVERY !== 2) return;
    const reason = isOutage(error) || !(error instanceof Error) ? String((error as Error).message) : error.name;
    this.report(`the stream cannot be read, events come from the feed meanwhile: ${reason}`);
  }
}
