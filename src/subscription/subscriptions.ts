import type { EventRegistry } from '../event/event-registry.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import type { StreamId } from '../event/stream-id.js';
import type { Bookkeeping } from '../store/bookkeeping.js';
import { END_OF_TIME, positionAt, timeOf, type EventFeed } from '../store/event-feed.js';
import type { ReadRange } from '../store/event-store.js';
import type { EventStream } from '../store/event-stream.js';
import type { EventSubscription, SubscribeOptions } from '../store/event-subscription.js';
import { recordedVersionFrom, type StoredEvent } from '../store/stored-event.js';
import { isOutage } from './backoff.js';
import { errorName } from './error-name.js';
import type { EventHandler } from './event-handler.js';
import type { FeedTiming } from './feed-reader.js';
import { Gate, streamHash } from './gate.js';
import { checkpointAt, leaseOf, Membership } from './leases.js';
import type { ParkedEvent } from './parking.js';
import { PulledEvents } from './pulled-events.js';
import { StreamFollower, type StreamFollowerTiming } from './stream-follower.js';
import { SubscriptionError } from './subscription-errors.js';
import { SubscriptionRun, type Control, type SubscriptionPlan } from './subscription-run.js';

export interface SubscriptionsOptions extends FeedTiming {
  /** How long a process may be silent before others take over what it reads; in milliseconds. */
  readonly leaseMs: number;
}

/** How a subscription stands. */
export interface SubscriptionStatus {
  readonly name: string;
  readonly state: Control['state'];
  readonly lag: SubscriptionLag;
  /** How many events are parked. */
  readonly parked: number;
  readonly partitions: readonly PartitionStatus[];
}

export interface SubscriptionLag {
  /** Events that are stored and not handled yet; counted up to the given number. */
  readonly events: number;
  /** Age of the oldest of these, 0 when there is none. */
  readonly seconds: number;
}

export interface PartitionStatus {
  readonly partition: string;
  /** Id of the process that reads it; none while nobody does. */
  readonly owner?: string;
  /** All events up to this time are handled, but for such as come late. */
  readonly handledUntil: Date;
}

/** So often a lease is renewed while it lasts. */
const RENEWALS = 3;

/** Counting events costs their read units, so it stops here. */
const COUNT_UP_TO = 10_000;

/** All subscriptions of an application, projections among them: what they do in this process, and how they stand in all. */
export class Subscriptions {
  private readonly runs = new Map<string, SubscriptionRun>();
  private readonly membership: Membership;
  private ticking: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  /** Names of those that this process works at. */
  private readonly active = new Set<string>();
  private follower: StreamFollower | undefined;

  constructor(
    private readonly feed: EventFeed,
    private readonly bookkeeping: Bookkeeping,
    private readonly registry: EventRegistry,
    private readonly options: SubscriptionsOptions,
    private readonly report: (message: string) => void,
  ) {
    this.membership = new Membership(bookkeeping, options.leaseMs);
  }

  /**
   * Makes a subscription known; `start` begins it.
   *
   * @throws SubscriptionError when the name is taken
   */
  add(plan: SubscriptionPlan, handler: EventHandler): void {
    if (this.runs.has(plan.name)) {
      throw new SubscriptionError(`Two subscriptions share the name "${plan.name}": rename one of them.`);
    }
    this.runs.set(plan.name, this.newRun(plan, handler));
  }

  /** Handles events as soon as a stream tells of them. The feed brings what the stream does not. */
  follow(stream: EventStream, timing?: StreamFollowerTiming): void {
    const found = (events: readonly StoredEvent[]) => {
      for (const run of this.runs.values()) run.offer(events);
    };
    this.follower = new StreamFollower(stream, found, () => this.wake(), this.report, timing);
  }

  /** Begins to read, for all that are known or one of them. Without any, nothing is read or written. */
  start(...names: readonly string[]): void {
    for (const name of names.length > 0 ? names : this.names) this.active.add(name);
    if (this.active.size === 0) return;
    this.follower?.start();
    this.tickSoon();
  }

  /** Ends after the events that are being handled, with a checkpoint behind them. */
  async stop(): Promise<void> {
    this.active.clear();
    clearTimeout(this.timer);
    await this.follower?.stop();
    await this.ticking;
    await Promise.all([...this.runs.values()].map((run) => run.end()));
    if (this.membership.isCurrent) await this.membership.leave().catch(ignoreOutage);
  }

  /**
   * Follows events for a loop that pulls them.
   *
   * @throws SubscriptionError when the name is taken in this process
   */
  pull({ name, aggregateTypes, from = 'beginning', signal }: SubscribeOptions): EventSubscription {
    const pulled = new PulledEvents(this.registry, () => this.drop(name));
    this.add(planOf({ name, aggregateTypes, from }), pulled);
    signal?.addEventListener('abort', () => pulled.end(), { once: true });
    if (signal?.aborted) pulled.end();
    this.start(name);
    return pulled;
  }

  get names(): readonly string[] {
    return [...this.runs.keys()];
  }

  /**
   * How a subscription stands, in all processes. Costs the read units of the events that it counts.
   *
   * @param countUpTo where counting the events that are still to handle stops; default 10,000
   * @throws SubscriptionError when there is none of this name
   * @throws EventStoreUnavailableError
   */
  async status(name: string, countUpTo: number = COUNT_UP_TO): Promise<SubscriptionStatus> {
    const run = this.run(name);
    const [{ state }, leases, parked] = await Promise.all([run.control(), run.leases.all(), run.parking.list()]);
    const start = positionAt(run.plan.from);
    const leadOf = (partition: string) =>
      run.leadOf(partition) ?? leaseOf(leases, partition)?.checkpoint?.lead ?? start;
    let events = 0;
    let oldest = Infinity;
    for (const partition of run.partitions) {
      for (let from = leadOf(partition), more = true; more && events < countUpTo;) {
        const page = await this.feed.read(partition, from, END_OF_TIME);
        const unread = page.events.filter(({ position }) => position > from);
        events += unread.length;
        oldest = Math.min(oldest, unread[0]?.event.eventTime ?? Infinity);
        from = unread.at(-1)?.position ?? from;
        more = page.more;
      }
    }
    return {
      name,
      state,
      lag: {
        events: Math.min(events, countUpTo),
        seconds: events === 0 ? 0 : Math.max(0, (Date.now() - oldest) / 1000),
      },
      parked: parked.length,
      partitions: run.partitions.map((partition) => {
        const owner = leaseOf(leases, partition)?.owner;
        const handledUntil = new Date(timeOf(leadOf(partition)));
        return { partition, handledUntil, ...(owner !== undefined && { owner }) };
      }),
    };
  }

  /** Stops a subscription in all processes, within a third of the lease time, until `resume`. */
  async pause(name: string): Promise<void> {
    await this.run(name).setState('paused');
    await this.tickNow();
    await this.run(name).settled();
  }

  /** Goes on after `pause`, or after an event at which the subscription stopped. */
  async resume(name: string): Promise<void> {
    await this.run(name).setState('running');
    await this.tickNow();
  }

  /**
   * Lets a subscription go on from a time, earlier or later. Events that are read again are handled again; what a
   * projection stores by `context.transaction` was stored with its position, and does not change twice.
   */
  async reset(name: string, from: Date): Promise<void> {
    const run = this.run(name);
    await run.leases.reset(run.partitions, checkpointAt(from.getTime()));
    run.endAll();
    await run.settled();
    await this.tickNow();
  }

  /** The events that a subscription has set aside, in the order of aggregates and versions. */
  async parked(name: string): Promise<readonly ParkedEvent[]> {
    return (await this.run(name).parking.list()).map(({ parked }) => parked);
  }

  /** Handles a parked event again, and what is held back behind it; within a third of the lease time. */
  async retry(parked: Pick<ParkedEvent, 'subscription' | 'id'>): Promise<void> {
    await this.request(parked, 'retry');
  }

  /** Leaves a parked event out for good, and goes on behind it. */
  async discard(parked: Pick<ParkedEvent, 'subscription' | 'id'>): Promise<void> {
    await this.request(parked, 'discard');
  }

  /**
   * What is stored and not yet handled, parked events and what waits behind them included; in order for each aggregate,
   * and read from checkpoints alone. Of what is being handled at this moment, or was just before a crash, some is there
   * as well.
   *
   * @param of its name, or what it follows where this application does not have it
   */
  async *pending(of: string | SubscribeOptions): AsyncIterable<RecordedEvent> {
    const { plan, partitions, leases, parking } =
      typeof of === 'string' ? this.run(of) : this.newRun(planOf(of), NOBODY);
    const [all, parked] = await Promise.all([leases.all(), parking.list()]);
    for (const partition of partitions) {
      const held = new Set<string>();
      for (const { key, parked: each } of parked.filter((entry) => entry.partition === partition)) {
        if (each.poison === 'stop-subscription') continue;
        if (each.poison === 'stop-aggregate') held.add(key);
        const toVersion = each.poison === 'skip' ? { toVersion: each.version } : {};
        yield* this.recordedIn(each.stream, { fromVersion: each.fromVersion, ...toVersion });
      }
      const checkpoint = leaseOf(all, partition)?.checkpoint ?? checkpointAt(plan.from);
      const gate = new Gate(this.feed, checkpoint.settled, checkpoint.recent, checkpoint.lead);
      for (let from = checkpoint.settled, more = true; more;) {
        const page = await this.feed.read(partition, from, END_OF_TIME);
        for (const found of page.events) {
          const { stream, version: toVersion } = found.event;
          const key = streamHash(stream);
          if (held.has(key)) continue;
          const admitted = await gate.admit(key, found, false);
          if (admitted) yield* this.recordedIn(stream, { fromVersion: admitted.fromVersion, toVersion });
        }
        more = page.more;
        from = page.events.at(-1)?.position ?? from;
      }
    }
  }

  private async *recordedIn(stream: StreamId, range: ReadRange): AsyncIterable<RecordedEvent> {
    for await (const event of this.feed.readStream(stream, range))
      yield* recordedVersionFrom(event, this.registry).events;
  }

  /**
   * Brings events to all subscriptions but those that this process reads for.
   *
   * @param endsAt by when to be ready; milliseconds since 1970
   * @returns those that have to be brought again, as one of the subscriptions has not handled them
   */
  async push(events: readonly StoredEvent[], endsAt: number): Promise<ReadonlySet<StoredEvent>> {
    const pushed = [...this.runs].filter(([name]) => !this.active.has(name));
    const again = await Promise.all(pushed.map(([, run]) => run.push(events, endsAt)));
    return new Set(again.flat());
  }

  /** Looks at once for what is new: for tests, and after an import. */
  wake(): void {
    for (const run of this.runs.values()) run.wake();
  }

  private async request({ subscription, id }: Pick<ParkedEvent, 'subscription' | 'id'>, what: 'retry' | 'discard') {
    const run = this.run(subscription);
    const entry = (await run.parking.list()).find(({ parked }) => parked.id === id);
    if (!entry) throw new SubscriptionError(`${subscription} has no parked event ${id}: it was settled meanwhile.`);
    const { poison } = entry.parked;
    if ((poison === 'skip' && what === 'discard') || (poison === 'stop-subscription' && what === 'retry')) {
      await run.parking.remove(entry);
      if (poison === 'stop-subscription') await this.resume(subscription);
      return;
    }
    await run.parking.request(entry, what);
    await run.changeControl((control) => ({ ...control, requests: control.requests + 1 }));
    if (poison === 'stop-subscription') await this.resume(subscription);
    else await this.tickNow();
  }

  private async drop(name: string): Promise<void> {
    const run = this.runs.get(name);
    this.active.delete(name);
    await this.ticking;
    await run?.end();
    this.runs.delete(name);
  }

  private newRun(plan: SubscriptionPlan, handler: EventHandler): SubscriptionRun {
    const report = (message: string) => this.report(`${plan.name}: ${message}`);
    return new SubscriptionRun(plan, handler, this.feed, this.bookkeeping, this.options, report);
  }

  private run(name: string): SubscriptionRun {
    const run = this.runs.get(name);
    if (run) return run;
    throw new SubscriptionError(
      `There is no subscription "${name}" in this application. It has: ${this.names.join(', ') || 'none'}.`,
    );
  }

  private tickSoon(delayMs = 0): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.tickNow(), delayMs);
  }

  private async tickNow(): Promise<void> {
    this.ticking = this.ticking.then(() => this.tick());
    await this.ticking;
  }

  private async tick(): Promise<void> {
    if (this.active.size === 0) return;
    clearTimeout(this.timer);
    try {
      await this.membership.renew([...this.active]);
      for (const [name, run] of this.runs) if (this.active.has(name)) await run.tick(this.membership);
    } catch (error) {
      if (!isOutage(error)) this.report(`the leases could not be renewed: ${errorName(error)}`);
    }
    // Others may have taken over by now what this process still reads.
    if (!this.membership.isCurrent) for (const run of this.runs.values()) run.endAll();
    if (this.active.size > 0) this.tickSoon(this.options.leaseMs / RENEWALS);
  }
}

const NOBODY: EventHandler = { batch: 1, wants: () => false, handle: async () => {} };

/** @throws SubscriptionError when it names nothing to follow */
function planOf({ name, aggregateTypes, from = 'beginning' }: SubscribeOptions): SubscriptionPlan {
  if (typeof name !== 'string' || name === '' || aggregateTypes.length === 0) {
    throw new SubscriptionError('A subscription needs a name and at least one aggregate type.');
  }
  const start = from === 'beginning' ? 0 : from.getTime();
  return { name, aggregateTypes, from: start, concurrency: 1, attempts: 1, poison: 'stop-subscription' };
}

function ignoreOutage(error: unknown): void {
  if (!isOutage(error)) throw error;
}
