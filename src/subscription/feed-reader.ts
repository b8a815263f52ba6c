import { positionAt, timeOf, type EventFeed, type FeedEvent } from '../store/event-feed.js';

/** How a subscription follows a feed; all in milliseconds. */
export interface FeedTiming {
  /** How old an event has to be to be read. */
  readonly marginMs: number;
  /** How late an event may show in the feed. */
  readonly backtrackMs: number;
  /** How long to wait where there was nothing new. */
  readonly pollMs: number;
}

/** Where a reader stands: all up to `settled` is read for good, and all up to `lead` once. */
export interface FeedPlaces {
  readonly settled: string;
  readonly lead: string;
}

export interface ReadPage {
  readonly events: readonly FeedEvent[];
  /** Milliseconds since 1970: before every event of that time or earlier, the feed has shown all there is. */
  readonly completeUntil: number;
  /** All events up to this one of the page are handled. */
  reached(position: string): void;
  /** The whole page is handled: the reader goes on behind it. */
  done(): void;
}

/** One way through the partition, at a certain distance behind the present. */
interface Pass {
  readonly ageMs: number;
  readonly everyMs: number;
  position: string;
  dueAt: number;
}

/**
 * Reads a partition in several passes. The first is close behind the present. An event that shows too late for it, or
 * has an earlier time as its writer's clock is behind, meets a later pass, the last of which is as far behind as an
 * event may be late. Each pass reads each event once, and those that stand at one place go on together. Where even the
 * first one is so far behind that nothing comes late any more, the last one catches up with it before it goes on: from
 * there each event is read once, and a process that ends in between leaves nothing behind it to be read again.
 */
export class FeedReader {
  private readonly passes: readonly [Pass, ...Pass[]];

  constructor(
    private readonly feed: EventFeed,
    private readonly partition: string,
    private readonly timing: FeedTiming,
    { settled, lead }: FeedPlaces,
  ) {
    const { marginMs, backtrackMs, pollMs } = timing;
    const between = Math.sqrt(marginMs * backtrackMs);
    this.passes = [
      { ageMs: marginMs, everyMs: pollMs, position: lead, dueAt: 0 },
      { ageMs: between, everyMs: Math.max(pollMs, between / 2), position: settled, dueAt: 0 },
      { ageMs: backtrackMs, everyMs: Math.max(pollMs, backtrackMs / 4), position: settled, dueAt: 0 },
    ];
  }

  get places(): FeedPlaces {
    return { lead: this.passes[0].position, settled: this.passes.at(-1)!.position };
  }

  /** When there is something to read, in the clock of `Date.now()`. */
  get dueAt(): number {
    return Math.min(...this.passes.map(({ dueAt }) => dueAt));
  }

  /** Reads at once what is due next. */
  hurry(): void {
    this.passes[0].dueAt = 0;
  }

  /** Reads a page of the last pass while it catches up, or of the one that waits longest, where one is due. */
  async read(signal?: AbortSignal): Promise<ReadPage | undefined> {
    const now = Date.now();
    const pass = this.catchingUp(now) ?? this.dueBy(now);
    if (!pass) return undefined;
    const [from, to] = [pass.position, now - pass.ageMs];
    if (timeOf(from) > to) {
      pass.dueAt = now + Math.max(pass.everyMs, timeOf(from) - to);
      return { events: [], completeUntil: 0, reached: () => {}, done: () => {} };
    }
    const { events, more } = await this.feed.read(this.partition, from, to, signal);
    const until = more ? events.at(-1)!.position : positionAt(to);
    return {
      events,
      // Between what is settled and where this pass begins, something may still come late.
      completeUntil: this.places.settled >= from ? now - this.timing.backtrackMs : 0,
      reached: (position) => this.advance(from, position, now),
      done: () => {
        // Where it has much to read, the others still take their turns.
        pass.dueAt = more ? now : now + pass.everyMs;
        this.advance(from, until, now);
      },
    };
  }

  private catchingUp(now: number): Pass | undefined {
    const { lead, settled } = this.places;
    return settled < lead && timeOf(lead) < now - this.timing.backtrackMs ? this.passes.at(-1) : undefined;
  }

  private dueBy(now: number): Pass | undefined {
    const [next] = this.passes.toSorted((one, other) => one.dueAt - other.dueAt);
    return next!.dueAt <= now ? next : undefined;
  }

  /** What was read at a time counts for each pass that would not have read it earlier, if nothing lies between. */
  private advance(from: string, until: string, readAt: number): void {
    for (const pass of this.passes) {
      const counts = positionAt(readAt - pass.ageMs);
      const reached = until < counts ? until : counts;
      if (pass.position >= from && reached > pass.position) pass.position = reached;
    }
  }
}
