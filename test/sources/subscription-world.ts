import { EventRegistry, Subscriptions } from '../../src/index.js';
import type { StreamId } from '../../src/event/stream-id.js';
import type { StoredEvent } from '../../src/store/stored-event.js';
import type { StreamFollowerTiming } from '../../src/subscription/stream-follower.js';
import type { SubscriptionsOptions } from '../../src/subscription/subscriptions.js';
import { BookkeepingDouble } from '../../src/testing/bookkeeping-double.js';
import type { Random } from '../campaigns/random.js';
import { MoneyDeposited } from '../setup/bank.js';
import { BookkeepingLink } from './bookkeeping-link.js';
import { eventRecord } from './event-record.js';
import { FakeEventSourceMapping, type MappingMishaps } from './event-source-mapping.js';
import { FakeStream } from './fake-stream.js';
import { UntidyFeed, type Untidiness } from './untidy-feed.js';

export interface WorldSettings {
  readonly random: Random;
  readonly untidiness: Untidiness;
  readonly timing: SubscriptionsOptions;
  readonly streamTiming: StreamFollowerTiming;
  readonly mishaps: MappingMishaps;
}

export interface Writing {
  /** What the clock of the writer says; default is the true time. */
  readonly clock?: number;
  /** How many events the transaction has; default 1. */
  readonly events?: number;
  /** How much later the index shows them, where that is not left to chance; in milliseconds. */
  readonly lateMs?: number;
  /** The stream tells of the transaction from its last event to its first. */
  readonly reversed?: boolean;
  /** The stream never tells of it. */
  readonly untold?: boolean;
}

const SHARDS = 2;
const STREAM_PAGE = 50;

/** An events table with an index and a stream that are played, and what is kept of those who follow it. */
export class SubscriptionWorld {
  readonly feed: UntidyFeed;
  readonly stream = new FakeStream(STREAM_PAGE);
  readonly mapping: FakeEventSourceMapping;
  readonly bookkeeping = new BookkeepingDouble();
  readonly registry = new EventRegistry().register(MoneyDeposited);
  /** What the log has. */
  readonly reports: string[] = [];
  private readonly links: BookkeepingLink[] = [];
  /** For each partition, the time up to which it was read by the pass that comes last. */
  private readonly settled = new Map<string, number>();

  constructor(readonly settings: WorldSettings) {
    const { random, untidiness, mishaps } = settings;
    this.feed = new UntidyFeed(random.fork(), untidiness);
    this.mapping = new FakeEventSourceMapping(this.stream, random.fork(), mishaps);
    for (let shard = 0; shard < SHARDS; shard++) this.stream.add();
    this.watchReads();
  }

  /** Stores the next events of a stream, in one transaction. */
  write(stream: StreamId, writing: Writing = {}): readonly StoredEvent[] {
    const { clock = Date.now(), reversed = false, untold = false } = writing;
    const stored = this.feed.append(stream, clock, writing);
    const told = reversed ? stored.toReversed() : stored;
    if (!untold) this.stream.shardOf(stream).tell(...told.map((event) => () => eventRecord(event)));
    return stored;
  }

  /** Whether the feed was read up to a time so long after it that nothing comes late any more. */
  isSettled(time: number): boolean {
    return this.feed.partitionsOf().every((partition) => (this.settled.get(partition) ?? 0) >= time);
  }

  /** What a process has, which remembers nothing of others. */
  newSubscriptions(): Subscriptions {
    const { timing } = this.settings;
    const report = (message: string) => this.reports.push(message);
    const link = new BookkeepingLink(this.bookkeeping);
    this.links.push(link);
    return new Subscriptions(this.feed, link, this.registry, timing, report);
  }

  /** From now on nothing is kept of what the processes do that there are, as if they were dead. */
  cutOff(): void {
    for (const link of this.links) link.isCut = true;
  }

  private watchReads(): void {
    const read = this.feed.read.bind(this.feed);
    this.feed.read = async (partition, from, to) => {
      const page = await read(partition, from, to);
      if (!page.more && Date.now() - to >= this.settings.timing.backtrackMs) this.settled.set(partition, to);
      return page;
    };
  }
}
