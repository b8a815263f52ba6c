import type { EventFeed } from '../store/event-feed.js';
import type { Bookkeeping } from '../store/bookkeeping.js';
import type { StoredEvent } from '../store/stored-event.js';
import { isOutage } from './backoff.js';
import { DeliveryEndedError } from './delivery.js';
import { errorName } from './error-name.js';
import type { EventHandler } from './event-handler.js';
import type { FeedTiming } from './feed-reader.js';
import { Leases, type Membership } from './leases.js';
import { Parking } from './parking.js';
import { PartitionRun } from './partition-run.js';
import type { PoisonPolicy } from './projection.js';
import { PushedEvents } from './pushed-events.js';

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

/** What an operator has said of a subscription, for all processes. */
export interface Control {
  readonly state: 'running' | 'paused' | 'stopped';
  /** Grows with each request about parked events. */
  readonly requests: number;
}

export const RUNNING: Control = { state: 'running', requests: 0 };

const CHECKPOINT_EVERY_MS = 1000;

/** One subscription in this process: the partitions that it holds, and their runs. */
export class SubscriptionRun {
  readonly parking: Parking;
  readonly leases: Leases;
  private readonly runs = new Map<string, { readonly run: PartitionRun; readonly over: Promise<void> }>();
  private requests = -1;

  constructor(
    readonly plan: SubscriptionPlan,
    readonly handler: EventHandler,
    readonly feed: EventFeed,
    readonly bookkeeping: Bookkeeping,
    private readonly timing: FeedTiming,
    readonly report: (message: string) => void,
  ) {
    this.parking = new Parking(bookkeeping, plan.name);
    this.leases = new Leases(bookkeeping, plan.name);
  }

  get partitions(): readonly string[] {
    return this.plan.aggregateTypes.flatMap((type) => this.feed.partitionsOf(type));
  }

  /** Takes and gives back partitions, so that all processes have their share, and does what operators have asked for. */
  async tick(membership: Membership): Promise<void> {
    const control = await this.control();
    if (control.state !== 'running') {
      this.endAll();
      return;
    }
    if (control.requests !== this.requests) {
      await this.settleParked();
      this.requests = control.requests;
    }
    const alive = membership.aliveIn(this.plan.name);
    const share = shareOf(alive.indexOf(membership.id), alive.length, this.partitions.length);
    const surplus = [...this.runs.values()].slice(Math.max(0, share));
    for (const { run } of surplus) run.end();
    const missing = share - this.runs.size;
    if (missing <= 0) return;
    const free = this.partitions.filter((partition) => !this.runs.has(partition));
    for (const lease of await this.leases.take(free, missing, membership.id, membership.alive)) this.start(lease);
  }

  /**
   * Handles events that were brought to this process, those that are this subscription's.
   *
   * @param endsAt by when to be ready; milliseconds since 1970
   * @returns those that have to be brought again
   */
  async push(events: readonly StoredEvent[], endsAt: number): Promise<readonly StoredEvent[]> {
    const own = events.filter(({ stream }) => this.plan.aggregateTypes.includes(stream.aggregateType));
    if (own.length === 0) return own;
    try {
      if ((await this.control()).state !== 'running') return own;
      return await new PushedEvents(this, { ...this.plan, endsAt }).handle(own);
    } catch (error) {
      if (error instanceof DeliveryEndedError) {
        if (error.reason === 'poison') await this.setState('stopped');
      } else if (!isOutage(error)) {
        this.report(`a batch ended with ${errorName(error)}, and is to come again`);
      }
      return own;
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

  /** Waits for the runs that are ending. */
  async settled(): Promise<void> {
    await Promise.all([...this.runs.values()].filter(({ run }) => run.isEnding).map(({ over }) => over));
  }

  /** Tells all partitions to end, after what they are handling. */
  endAll(): void {
    for (const { run } of this.runs.values()) run.end();
  }

  /** How far a partition has come that this process reads. */
  leadOf(partition: string): string | undefined {
    return this.runs.get(partition)?.run.lead;
  }

  async control(): Promise<Control> {
    const entries = await this.bookkeeping.entries<Control>(controlSubject(this.plan.name));
    return entries[0]?.value ?? RUNNING;
  }

  async changeControl(change: (control: Control) => Control): Promise<void> {
    for (;;) {
      const [entry] = await this.bookkeeping.entries<Control>(controlSubject(this.plan.name));
      const changed = change(entry?.value ?? RUNNING);
      if (await this.bookkeeping.write(controlSubject(this.plan.name), 'control', changed, entry?.revision ?? 0))
        return;
    }
  }

  async setState(state: Control['state']): Promise<void> {
    await this.changeControl((control) => ({ ...control, state }));
  }

  private start(lease: Awaited<ReturnType<Leases['take']>>[number]): void {
    const { partition } = lease;
    const { feed, handler, parking, report, timing } = this;
    const options = { ...this.plan, timing, checkpointEveryMs: CHECKPOINT_EVERY_MS };
    const run = new PartitionRun(lease, { feed, handler, parking, report }, options);
    const over = run
      .run()
      .then(async (end) => {
        if (end === 'poison') await this.setState('stopped');
      })
      .catch((error: unknown) => {
        report(`${partition} ended with ${errorName(error)}, and begins anew`);
      })
      .finally(() => this.runs.delete(partition));
    this.runs.set(partition, { run, over });
  }

  private async settleParked(): Promise<void> {
    for (const entry of await this.parking.list()) {
      if (entry.parked.requested) this.runs.get(entry.partition)?.run.settleParked(entry);
    }
  }
}

function controlSubject(subscription: string): readonly string[] {
  return ['control', subscription];
}

/** How many of the partitions are for the process at this place: they differ by one at most, and add up to all. */
function shareOf(place: number, processes: number, partitions: number): number {
  return place === -1 ? 0 : Math.floor(partitions / processes) + (place < partitions % processes ? 1 : 0);
}
