import { createHash } from 'node:crypto';
import { streamKey, type StreamId } from '../event/stream-id.js';
import type { EventFeed, FeedEvent } from '../store/event-feed.js';
import { isReadable } from '../store/stored-event.js';
import { firstVersionBehind } from './first-version.js';
import type { Checkpoint } from './leases.js';

/**
 * What is known of the time before an event: `shown`, that the feed has shown all that is older; `told`, that a stream
 * has told of the event, and does so of all of a commit, though in any order.
 */
export type Known = 'shown' | 'told' | undefined;

/** What passes the gate: an event, and the version from which its stream goes on. */
export interface Admitted {
  readonly key: string;
  readonly event: FeedEvent['event'];
  /** The version of the event, or an earlier one that the feed has not shown and that has to be handled first. */
  readonly fromVersion: number;
}

export interface Passed {
  readonly version: number;
  readonly position: string;
}

/** Streams that are remembered although nothing of them can come late any more; that spares a read when they go on. */
const KEPT_STREAMS = 10_000;

/** So many streams are looked over for older ones: those of parked events are ahead while the feed catches up. */
const LOOKED_OVER = 1000;

/**
 * Lets each version of each stream of a partition through once, and in order. A version that was let through before is
 * dropped; where one is missing, the gate says from which version on the table has to be read.
 */
export class Gate {
  /** By the hash of the stream, the one that went on longest ago first. */
  private readonly streams = new Map<string, Passed>();
  /**
   * Where looking for settled ones goes on, while there are too many. An iterator that waits keeps what the map has long
   * dropped.
   */
  private lookedOver: MapIterator<[string, Passed]> | undefined;

  /** The position up to which nothing comes late any more: all up to there has passed. */
  private settled: string;

  constructor(
    private readonly feed: EventFeed,
    { settled, lead, recent, recentUntil = `${lead}#` }: Checkpoint,
  ) {
    this.settled = settled;
    // Where each of them stands is not kept: none is forgotten before all of them have come again.
    for (const [key, version] of Object.entries(recent)) this.streams.set(key, { version, position: recentUntil });
  }

  /** @param key the hash of the event's stream */
  async admit(key: string, { position, event }: FeedEvent, before: Known): Promise<Admitted | undefined> {
    const known = this.streams.get(key);
    if (known && event.version <= known.version) {
      // What was let through before the feed has shown it stands where the feed shows it.
      if (event.version === known.version && position > known.position) this.remember(key, { ...known, position });
      return undefined;
    }
    const fromVersion = known
      ? known.version + 1
      : event.version === 1 || before === 'shown'
        ? event.version
        : await this.firstOf(event, before);
    this.remember(key, { version: event.version, position });
    return { key, event, fromVersion };
  }

  /** A stream that nothing is known of may have shown a later version first. */
  private async firstOf(event: FeedEvent['event'], before: Known): Promise<number> {
    const told = before === 'told' && isReadable(event) ? event.commitIndex : 0;
    const version = event.version - told;
    return (await firstVersionBehind(this.feed, { stream: event.stream, version }, this.settled)).version;
  }

  /** What has passed of a stream, to go back to. */
  passedOf(key: string): Passed | undefined {
    return this.streams.get(key);
  }

  /** Takes back what was let through and not handled. */
  goBack(key: string, passed: Passed | undefined): void {
    if (passed) this.remember(key, passed);
    else this.streams.delete(key);
  }

  /** What was handled beside the feed counts as passed. */
  pass(key: string, version: number, position: string): void {
    if ((this.streams.get(key)?.version ?? 0) < version) this.remember(key, { version, position });
  }

  /** @param position up to which nothing comes late any more */
  settle(position: string): void {
    if (position > this.settled) this.settled = position;
    this.lookedOver = this.streams.size > KEPT_STREAMS ? (this.lookedOver ?? this.streams.entries()) : undefined;
    for (let kept = 0; this.lookedOver && this.streams.size > KEPT_STREAMS && kept < LOOKED_OVER;) {
      const next = this.lookedOver.next();
      if (next.done) {
        this.lookedOver = undefined;
        return;
      }
      const [key, passed] = next.value;
      // As the feed is read from the settled position again.
      if (passed.position < this.settled) this.streams.delete(key);
      else kept++;
    }
  }

  /** The newest of the versions that passed at the settled position or behind it, by stream. */
  recent(limit: number): Readonly<Record<string, number>> {
    const unsettled = [...this.streams].filter(([, { position }]) => position >= this.settled);
    return Object.fromEntries(unsettled.slice(-limit).map(([key, { version }]) => [key, version]));
  }

  /** The last position that is known of what has passed. */
  get recentUntil(): string {
    let last = '';
    for (const { position } of this.streams.values()) if (position > last) last = position;
    return last;
  }

  private remember(key: string, passed: Passed): void {
    this.streams.delete(key);
    this.streams.set(key, passed);
  }
}

/** A stream as checkpoints name it: short, and the same for no two streams. */
export function streamHash(stream: StreamId): string {
  return createHash('sha256').update(streamKey(stream)).digest('base64url').slice(0, 22);
}
