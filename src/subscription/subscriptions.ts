import { isDate } from 'node:util/types';
import type { EventRegistry } from '../event/event-registry.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import type { Bookkeeping } from '../store/bookkeeping.js';
import type { EventFeed } from '../store/event-feed.js';
import type { EventStream } from '../store/event-stream.js';
import type { EventSubscription, SubscribeOptions } from '../store/event-subscription.js';
import type { StoredEvent } from '../store/stored-event.js';
import type { Control } from './controls.js';
import type { EventHandler } from './event-handler.js';
import type { FeedTiming } from './feed-reader.js';
import { laterGeneration } from './generation.js';
import { checkpointAt } from './leases.js';
import type { ParkedEvent } from './parking.js';
import { pendingEvents } from './pending-events.js';
import { PulledEvents } from './pulled-events.js';
import type { PushedEvent } from './pushed-events.js';
import { Rebuilding } from './rebuilding.js';
import { StreamFollower, type StreamFollowerTiming } from './stream-follower.js';
import { Subscription, type Controlled, type GenerationHandler } from './subscription.js';
import { SubscriptionError } from './subscription-errors.js';
import type { SubscriptionPlan } from './subscription-run.js';
import { statusOf, type RebuildProgress, type SubscriptionStatus } from './subscription-status.js';
import { Worker } from './worker.js';

export interface SubscriptionsOptions extends FeedTiming {
  /** How long a process may be silent before others take over what it reads; in milliseconds. */
  readonly leaseMs: number;
}

/** Counting events costs their read units, so it stops here. */
const COUNT_UP_TO = 10_000;

/** All subscriptions of an application, projections among them: what they do in this process, and how they stand in all. */
export class Subscriptions {
  private readonly subscriptions = new Map<string, Subscription>();
  private readonly worker: Worker;
  private readonly pulled = new Set<PulledEvents>();
  private isStopped = false;

  constructor(
    private readonly feed: EventFeed,
    private readonly bookkeeping: Bookkeeping,
    private readonly registry: EventRegistry,
    private readonly options: SubscriptionsOptions,
    private readonly report: (message: string) => void,
  ) {
    this.worker = new Worker(this.subscriptions, bookkeeping, options.leaseMs, report);
  }

  /**
   * Makes a subscription known; `start` begins it.
   *
   * @throws SubscriptionError when the name is taken, or looks like that of a later generation
   */
  add(plan: SubscriptionPlan, handler: EventHandler | GenerationHandler): void {
    const { name } = plan;
    if (laterGeneration(name)) {
      throw new SubscriptionError(
        `"${name}" ends like the name of a later generation: take one without "~" and a number at its end.`,
      );
    }
    if (this.subscriptions.has(name)) {
      throw new SubscriptionError(
        `Two subscriptions share the name "${name}": rename one of them. A loop that is to go on where another one ended is begun after that.`,
      );
    }
    this.subscriptions.set(name, this.newSubscription(plan, handler));
  }

  /** Handles events as soon as a stream tells of them. The feed brings what the stream does not. */
  follow(stream: EventStream, timing?: StreamFollowerTiming): void {
    const found = (events: readonly StoredEvent[]) => {
      for (const subscription of this.subscriptions.values()) subscription.offer(events);
    };
    this.worker.follow(new StreamFollower(stream, found, () => this.wake(), this.report, timing));
  }

  /** Begins to read, for all that are known or one of them. Without any, nothing is read or written. */
  start(...names: readonly string[]): void {
    this.isStopped = false;
    this.worker.start(names.length > 0 ? names : this.names);
  }

  /** Ends after the events that are being handled, with a checkpoint behind them. Loops that pull events end, too. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const pulled of this.pulled) pulled.end();
    await this.worker.stop();
  }

  /**
   * Follows events for a loop that pulls them.
   *
   * @throws SubscriptionError when the name is taken in this process, it begins at no time, or the application is closing
   */
  pull({ name, aggregateTypes, from = 'beginning', signal }: SubscribeOptions): EventSubscription {
    if (this.isStopped)
      throw new SubscriptionError(`"${name}" cannot be followed any more: the application is closing.`);
    const begun = () => {
      this.subscriptions.get(name)?.goOn();
      this.worker.tickSoon();
    };
    const end = () => pulled.end();
    const left = () => {
      signal?.removeEventListener('abort', end);
      this.pulled.delete(pulled);
      return this.drop(name);
    };
    const pulled = new PulledEvents(this.registry, begun, left);
    this.add(planOf({ name, aggregateTypes, from }), pulled);
    this.pulled.add(pulled);
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted) end();
    this.worker.start([name]);
    return pulled;
  }

  get names(): readonly string[] {
    return [...this.subscriptions.keys()];
  }

  /**
   * How a subscription stands, in all processes. Costs the read units of the events that it counts.
   *
   * @param name of a subscription, for its live generation; or of a generation, as `name~2`
   * @param countUpTo where counting the events that are still to handle stops; default 10,000
   * @throws SubscriptionError when there is none of this name
   * @throws EventStoreUnavailableError
   */
  async status(name: string, countUpTo: number = COUNT_UP_TO): Promise<SubscriptionStatus> {
    return statusOf(name, await this.named(name), countUpTo);
  }

  /** Stops a subscription in all processes, within a third of the lease time, until `resume`. */
  async pause(name: string): Promise<void> {
    await this.setState(name, 'paused');
    await (await this.named(name)).run.settled();
  }

  /**
   * Goes on after `pause`, or where the subscription stopped at an event, with that event: where it fails again, it stops
   * there again. `discard` leaves it out.
   */
  async resume(name: string): Promise<void> {
    await this.setState(name, 'running');
  }

  /**
   * Lets a subscription go on from a time, earlier or later. Events that are read again are handled again; what a
   * projection stores by `context.transaction` was stored with its position in the aggregate, and does not change twice.
   * By that, what a reset to a later time has left out of an aggregate that went on since is stored by a rebuild only.
   * Other processes hear of it within a third of the lease time.
   *
   * @throws SubscriptionError when there is none of this name, or the time is none
   * @throws EventStoreUnavailableError
   */
  async reset(name: string, from: Date): Promise<void> {
    const checkpoint = checkpointAt(timeFrom(from));
    const { run } = await this.named(name);
    await run.leases.reset(run.partitions, checkpoint);
    // Afterwards, as who begins anew on hearing of it has to find the new checkpoints.
    await this.control(name, (control) => ({ ...control, resets: (control.resets ?? 0) + 1 }));
    run.endAll();
    await run.settled();
    await this.worker.tickNow();
  }

  /**
   * Begins to build a projection anew beside the live one, from where the projection begins. Its methods are called for
   * both, with `context.generation` to tell whose view they write; `progress` shows how far it is, and `switchOver` makes
   * it the live one. The events are counted before, which costs as many read units as reading them once.
   *
   * @returns the number of the new generation
   * @throws SubscriptionError when there is no such projection, or it is being built anew already
   * @throws EventStoreUnavailableError
   */
  async rebuild(name: string): Promise<number> {
    const generation = await this.rebuilding(name).begin();
    await this.worker.tickNow();
    return generation;
  }

  /**
   * How far a rebuild has come, once a second until it has caught up with the present, with speed and remaining time.
   *
   * @throws SubscriptionError when there is none, or no longer, or it has stopped at an event
   * @throws EventStoreUnavailableError
   */
  progress(name: string): AsyncIterable<RebuildProgress> {
    return this.rebuilding(name).progress();
  }

  /**
   * Makes the generation that was built the live one, in all processes within a third of the lease time; the former one
   * is built no further.
   *
   * @throws SubscriptionError when there is none, it has not caught up yet, has stopped, or has parked events
   * @throws EventStoreUnavailableError
   */
  async switchOver(name: string): Promise<void> {
    await this.rebuilding(name).switchOver();
    await this.worker.tickNow();
  }

  /** Gives up the generation that is being built. What it has written stays where it is. */
  async cancelRebuild(name: string): Promise<void> {
    await this.rebuilding(name).cancel();
    await this.worker.tickNow();
  }

  /** Which of a projection's views is the live one; 1 before the first rebuild. A read of half a unit. */
  async generation(name: string): Promise<number> {
    return (await this.subscription(name).controls.seen()).generations.live;
  }

  /** The events that a subscription has set aside, in the order of aggregates and versions. */
  async parked(name: string): Promise<readonly ParkedEvent[]> {
    const { run } = await this.named(name);
    return (await run.parking.list()).map(({ parked }) => parked);
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
   * as well; and of the last two minutes, where more than 300 aggregates of a slice went on in them. What the index does
   * not show yet is not there.
   *
   * @param of its name, or what it follows where this application does not have it
   * @throws SubscriptionError when there is none of this name, or it begins at no time; while iterating
   */
  async *pending(of: string | SubscribeOptions): AsyncIterable<RecordedEvent> {
    const subscription = typeof of === 'string' ? undefined : this.newSubscription(planOf(of), NOBODY);
    const { run } = subscription ? await subscription.live() : await this.named(of as string);
    yield* pendingEvents(run, this.registry);
  }

  /**
   * Brings events to all subscriptions but those that this process reads for.
   *
   * @param endsAt by when to be ready; milliseconds since 1970
   * @returns those that have to be brought again, as one of the subscriptions has not handled them
   */
  async push(events: readonly PushedEvent[], endsAt: number): Promise<ReadonlySet<PushedEvent>> {
    const pushed = [...this.subscriptions].filter(([name]) => !this.worker.worksAt(name));
    const again = await Promise.all(pushed.map(([, subscription]) => subscription.push(events, endsAt)));
    return new Set(again.flat());
  }

  /** Looks at once for what is new: for tests, and after an import. */
  wake(): void {
    for (const subscription of this.subscriptions.values()) subscription.wake();
  }

  private rebuilding(name: string): Rebuilding {
    return new Rebuilding(this.subscription(name), this.options.marginMs);
  }

  private async request({ subscription, id }: Pick<ParkedEvent, 'subscription' | 'id'>, what: 'retry' | 'discard') {
    const { run } = await this.named(subscription);
    const entry = await run.parking.find(id);
    if (!entry) throw new SubscriptionError(`${subscription} has no parked event ${id}: it was settled meanwhile.`);
    const { poison } = entry.parked;
    if ((poison === 'skip' && what === 'discard') || (poison === 'stop-subscription' && what === 'retry')) {
      await run.parking.remove(entry);
    } else {
      await run.parking.request(entry, what);
    }
    await this.control(subscription, ({ state, requests, ...control }) => ({
      ...control,
      requests: requests + 1,
      // A pause stays.
      state: poison === 'stop-subscription' && state === 'stopped' ? 'running' : state,
    }));
    this.worker.tickTogether();
  }

  private async setState(name: string, state: Control['state']): Promise<void> {
    await this.control(name, (control) => ({ ...control, state }));
    await this.worker.tickNow();
  }

  private async control(name: string, change: (control: Control) => Control): Promise<void> {
    const { run } = await this.named(name);
    await this.subscription(run.plan.name).controls.change(run.generation.generation, change);
  }

  private async drop(name: string): Promise<void> {
    await this.worker.leave(name);
    this.subscriptions.delete(name);
  }

  private newSubscription(plan: SubscriptionPlan, handler: EventHandler | GenerationHandler): Subscription {
    const { feed, bookkeeping, options, report } = this;
    return new Subscription(plan, handler, { feed, bookkeeping, timing: options, report });
  }

  /** The live generation of a subscription, or the one that the name stands for. */
  private async named(name: string): Promise<Controlled> {
    const later = this.subscriptions.has(name) ? undefined : laterGeneration(name);
    return later ? this.subscription(later.projection).generation(later.generation) : this.subscription(name).live();
  }

  private subscription(name: string): Subscription {
    const subscription = this.subscriptions.get(name);
    if (subscription) return subscription;
    throw new SubscriptionError(
      `There is no subscription "${name}" in this application. It has: ${this.names.join(', ') || 'none'}.`,
    );
  }
}

const NOBODY: EventHandler = { batch: 1, wants: () => false, handle: async () => {} };

/** @throws SubscriptionError when it names nothing to follow, or no time to begin at */
function planOf({ name, aggregateTypes, from = 'beginning' }: SubscribeOptions): SubscriptionPlan {
  if (typeof name !== 'string' || name === '' || aggregateTypes.length === 0) {
    throw new SubscriptionError('A subscription needs a name and at least one aggregate type.');
  }
  const start = from === 'beginning' ? 0 : timeFrom(from);
  return { name, aggregateTypes, from: start, concurrency: 1, attempts: 1, poison: 'stop-subscription' };
}

/** @throws SubscriptionError when it is none, as it would only show once events are read */
function timeFrom(from: Date): number {
  if (isDate(from) && !Number.isNaN(from.getTime())) return from.getTime();
  throw new SubscriptionError('A subscription begins, or is reset, at a time: give a valid Date.');
}
