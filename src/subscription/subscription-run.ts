import { AsyncLocalStorage } from 'node:async_hooks';
import type { Bookkeeping } from '../store/bookkeeping.js';
import type { EventFeed } from '../store/event-feed.js';
import type { StoredEvent } from '../store/stored-event.js';
import { isOutage } from './backoff.js';
import type { Control, Controls } from './controls.js';
import { DeliveryEndedError } from './delivery.js';
import { thrownName } from './thrown.js';
import type { EventHandler } from './event-handler.js';
import type { FeedTiming } from './feed-reader.js';
import type { Generation } from './generation.js';
import { Leases } from './leases.js';
import type { Membership } from './membership.js';
import { Parking } from './parking.js';
import { PartitionRun } from './partition-run.js';
import type { PoisonPolicy } from './projection.js';
import { PushedEvents, type PushedEvent } from './pushed-events.js';

/** What is followed, and how. */
export interface SubscriptionPlan {
  readonly name: string;
  readonly aggregateTypes: readonly string[];
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly concurrency: number;
  readonly attempts: number;
  readonly poison: PoisonPolicy;
}

export interface SubscriptionParts {
  readonly feed: EventFeed;
  readonly bookkeeping: Bookkeeping;
  readonly controls: Controls;
  readonly timing: FeedTiming;
  readonly report: (message: string) => void;
}

const CHECKPOINT_EVERY_MS = 1000;

/** Set in all that a run does, the work of handlers among it. */
const isInHandler = new AsyncLocalStorage<true>();

/** One generation of a subscription in this process: the partitions that it holds, and their runs. */
export class SubscriptionRun {
  readonly parking: Parking;
  readonly leases: Leases;
  readonly feed: EventFeed;
  readonly bookkeeping: Bookkeeping;
  readonly timing: FeedTiming;
  readonly report: (message: string) => void;
  private readonly runs = new Map<string, { readonly run: PartitionRun; readonly over: Promise<void> }>();
  /**
   * Whether a partition may be kept as this process's that it does not read. Others leave it alone, as this process is
   * alive. A loop that was left during an outage may have left some, and begins anew under the same name.
   */
  private mayHaveLeftOver = true;
  private requests = -1;
  private resets = 0;

  constructor(
    readonly plan: SubscriptionPlan,
    readonly generation: Generation,
    readonly handler: EventHandler,
    private readonly parts: SubscriptionParts,
  ) {
    const { feed, bookkeeping, report, timing } = parts;
    this.feed = feed;
    this.timing = timing;
    this.bookkeeping = bookkeeping;
    this.report = (message) => report(`${generation.name}: ${message}`);
    this.parking = new Parking(bookkeeping, generation.name);
    this.leases = new Leases(bookkeeping, generation.name);
  }

  get partitions(): readonly string[] {
    return this.plan.aggregateTypes.flatMap((type) => this.feed.partitionsOf(type));
  }

  get isIdle(): boolean {
    return this.runs.size === 0;
  }

  /** Takes and gives back partitions, so that all processes have their share, and does what operators have asked for. */
  async tick(membership: Membership, control: Control): Promise<void> {
    if (control.state !== 'running') {
      this.endAll();
      return;
    }
    // A reset has taken the leases away, of which a run hears only when it has something to save.
    const { resets = 0 } = control;
    if (resets !== this.resets) this.endAll();
    this.resets = resets;
    if (control.requests !== this.requests) {
      await this.settleParked();
      this.requests = control.requests;
    }
    const workers = membership.workersOf(this.plan.name);
    const share = shareOf(workers.indexOf(membership.id), workers.length, this.partitions.length);
    const surplus = [...this.runs.values()].slice(Math.max(0, share));
    for (const { run } of surplus) run.end();
    if (share > this.runs.size) await this.take(share - this.runs.size, membership);
    if (this.mayHaveLeftOver) await this.giveBackLeftOver(membership.id);
  }

  /**
   * Handles events that were brought to this process.
   *
   * @param endsAt by when to be ready; milliseconds since 1970
   * @returns those that have to be brought again
   */
  async push(events: readonly PushedEvent[], endsAt: number): Promise<readonly PushedEvent[]> {
    try {
      return await new PushedEvents(this, { ...this.plan, name: this.generation.name, endsAt }).handle(events);
    } catch (error) {
      if (error instanceof DeliveryEndedError) {
        if (error.reason === 'poison') await this.stopForGood();
      } else if (!isOutage(error)) {
        this.report(`a batch ended with ${thrownName(error)}, and is to come again`);
      }
      return events;
    }
  }

  /** Takes events that were found before the feed has shown them, those that are this process's to handle. */
  offer(events: readonly StoredEvent[]): void {
    for (const event of events) {
      if (!this.plan.aggregateTypes.includes(event.stream.aggregateType)) continue;
      this.runs.get(this.feed.partitionOf(event.stream))?.run.offer(event);
    }
  }

  /** Looks at once for what is new. */
  wake(): void {
    for (const { run } of this.runs.values()) run.wake();
  }

  async end(): Promise<void> {
    this.endAll();
    await this.settled();
  }

  /** Waits for the runs that are ending; not where a handler asks for it, as two of them would wait for each other. */
  async settled(): Promise<void> {
    if (isInHandler.getStore()) return;
    await Promise.all([...this.runs.values()].filter(({ run }) => run.isEnding).map(({ over }) => over));
  }

  /** Tells all partitions to end, after what they are handling. */
  endAll(): void {
    for (const { run } of this.runs.values()) run.end();
  }

  /** How far a partition has come that this process reads. */
  placeOf(partition: string): Pick<PartitionRun, 'lead' | 'handled'> | undefined {
    return this.runs.get(partition)?.run;
  }

  private get unread(): readonly string[] {
    return this.partitions.filter((partition) => !this.runs.has(partition));
  }

  private async take(count: number, membership: Membership): Promise<void> {
    const lookWhoLives = () => membership.aliveAt(this.plan.name);
    try {
      for (const lease of await this.leases.take(this.unread, count, membership.id, lookWhoLives)) this.start(lease);
    } catch (error) {
      // Some may be taken, and the share may be smaller when this is tried again.
      this.mayHaveLeftOver = true;
      throw error;
    }
  }

  private async giveBackLeftOver(owner: string): Promise<void> {
    // Before, as another run may end meanwhile.
    this.mayHaveLeftOver = false;
    try {
      await this.leases.giveBack(this.unread, owner);
    } catch (error) {
      this.mayHaveLeftOver = true;
      throw error;
    }
  }

  private start(lease: Awaited<ReturnType<Leases['take']>>[number]): void {
    const { partition } = lease;
    const { feed, handler, parking, report } = this;
    const options = { ...this.plan, timing: this.parts.timing, checkpointEveryMs: CHECKPOINT_EVERY_MS };
    const run = new PartitionRun(lease, { feed, handler, parking, report }, options);
    const over = isInHandler
      .run(true, () => run.run())
      .then(async (end) => {
        if (end === 'poison') await this.stopForGood();
      })
      .catch((error: unknown) => {
        report(`${partition} ended with ${thrownName(error)}, and begins anew`);
      })
      .finally(() => {
        this.runs.delete(partition);
        // It was given back, unless there was an outage.
        this.mayHaveLeftOver = true;
      });
    this.runs.set(partition, { run, over });
  }

  private async stopForGood(): Promise<void> {
    const { controls } = this.parts;
    const isStopped = async () =>
      (await this.parking.list()).some(({ parked }) => parked.poison === 'stop-subscription' && !parked.requested);
    const turn = (from: Control['state'], to: Control['state']) =>
      controls.change(this.generation.generation, (control) =>
        control.state === from ? { ...control, state: to } : control,
      );
    // The event may have been settled while others that were under way came to their end.
    if (!(await isStopped())) return;
    await turn('running', 'stopped');
    // Or just now.
    if (!(await isStopped())) await turn('stopped', 'running');
  }

  private async settleParked(): Promise<void> {
    const entries = await this.parking.list();
    for (const { run } of this.runs.values()) run.settleParked(entries);
  }
}

/** How many of the partitions are for the process at this place: they differ by one at most, and add up to all. */
function shareOf(place: number, processes: number, partitions: number): number {
  return place === -1 ? 0 : Math.floor(partitions / processes) + (place < partitions % processes ? 1 : 0);
}
