import { AsyncResource } from 'node:async_hooks';
import type { Bookkeeping } from '../store/bookkeeping.js';
import { ignoreOutage, isOutage } from './backoff.js';
import { thrownName } from './thrown.js';
import { Membership } from './membership.js';
import type { StreamFollower } from './stream-follower.js';
import type { Subscription } from './subscription.js';

/** Of looks that fail by an outage, one in so many is reported, from the third on. */
const [REPORT_EVERY, REPORT_FROM] = [20, 3];

/** Requests of operators wait so long for others, as each look reads all that is parked; in milliseconds. */
const TOGETHER_MS = 200;

/** This process's part in the subscriptions: it shows that it is alive, and sees now and then what is its own to do. */
export class Worker {
  private readonly membership: Membership;
  /** Names of those that this process works at. */
  private readonly active = new Set<string>();
  /** Those that it is about to leave, whose slices are still its own. */
  private readonly leaving = new Set<string>();
  private ticking: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private tickAt = Infinity;
  /** How many looks one after the other have met an outage. */
  private outages = 0;
  private follower: StreamFollower | undefined;
  /** All work is done in the context in which this was made, and not in that of a command that asks for it. */
  private readonly scope = new AsyncResource('SubscriptionWorker');

  /** @param subscriptions by name; those that come later are seen */
  constructor(
    private readonly subscriptions: ReadonlyMap<string, Subscription>,
    bookkeeping: Bookkeeping,
    leaseMs: number,
    private readonly report: (message: string) => void,
  ) {
    this.membership = new Membership(bookkeeping, leaseMs);
  }

  /** Reads a stream as well, while there is work. */
  follow(follower: StreamFollower): void {
    this.follower = follower;
  }

  /** Begins to work at subscriptions. Without any, nothing is read or written. */
  start(names: readonly string[]): void {
    for (const name of names) this.active.add(name);
    if (this.active.size > 0) this.tickSoon();
  }

  worksAt(name: string): boolean {
    return this.active.has(name);
  }

  /** Ends after the events that are being handled, with a checkpoint behind them. */
  async stop(): Promise<void> {
    this.active.clear();
    clearTimeout(this.timer);
    await this.follower?.stop();
    await this.ticking;
    await Promise.all([...this.subscriptions.values()].map((subscription) => subscription.end()));
    if (this.membership.isCurrent) await this.membership.leave().catch(ignoreOutage);
  }

  /** Works at a subscription no more, and ends it as `stop` ends all. */
  async leave(name: string): Promise<void> {
    this.active.delete(name);
    this.leaving.add(name);
    await this.ticking;
    await this.subscriptions.get(name)?.end();
    this.leaving.delete(name);
  }

  tickSoon(delayMs = 0): void {
    clearTimeout(this.timer);
    this.tickAt = performance.now() + delayMs;
    this.timer = setTimeout(() => void this.tickNow(), delayMs);
  }

  /** Looks once for all that ask within a moment. */
  tickTogether(): void {
    if (this.active.size > 0 && this.tickAt > performance.now() + TOGETHER_MS) this.tickSoon(TOGETHER_MS);
  }

  /** Looks at once for what there is to do, and returns when it has begun. */
  async tickNow(): Promise<void> {
    this.ticking = this.ticking.then(() => this.scope.runInAsyncScope(() => this.tick()));
    await this.ticking;
  }

  private async tick(): Promise<void> {
    if (this.active.size === 0) return;
    clearTimeout(this.timer);
    this.tickAt = Infinity;
    const began = performance.now();
    // While this process stood still, others may have taken over what it reads; where nothing happens, it hears of that
    // by nothing else, and would go on counting it as its share.
    if (!this.membership.isCurrent) this.endAll();
    let outage: unknown;
    try {
      await this.membership.renew([...this.active, ...this.leaving], this.follower !== undefined);
      this.followOrStandBy();
      const active = [...this.subscriptions].filter(([name]) => this.active.has(name));
      const outages = await Promise.all(active.map(([name, subscription]) => this.tickOne(name, subscription)));
      outage = outages.find((each) => each !== undefined);
    } catch (error) {
      if (isOutage(error)) outage = error;
      else this.report(`the leases could not be renewed: ${thrownName(error)}`);
    }
    this.noteOutage(outage);
    // Others may have taken over by now what this process still reads.
    if (!this.membership.isCurrent) this.endAll();
    // A tick during an outage takes long, and others count from when the last one renewed.
    const nextAt = began + this.membership.renewEveryMs;
    if (this.active.size > 0 && this.tickAt > nextAt) this.tickSoon(Math.max(0, nextAt - performance.now()));
  }

  /**
   * What one fails with is no reason to keep the others from their share.
   *
   * @returns the outage that it met
   */
  private async tickOne(name: string, subscription: Subscription): Promise<unknown> {
    try {
      await subscription.tick(this.membership);
    } catch (error) {
      if (isOutage(error)) return error;
      this.report(`${name}: its slices could not be taken: ${thrownName(error)}`);
    }
    return undefined;
  }

  /** One that lasts may be a right that this process lacks, and nothing else would tell of it. */
  private noteOutage(outage: unknown): void {
    this.outages = outage === undefined ? 0 : this.outages + 1;
    if (this.outages % REPORT_EVERY !== REPORT_FROM) return;
    this.report(`the bookkeeping cannot be used, and is tried again: ${(outage as Error).message}`);
  }

  /** The stream is read by those who have something to do with it. */
  private followOrStandBy(): void {
    const works = [...this.active].some((name) => this.membership.workersOf(name).includes(this.membership.id));
    if (works) this.follower?.start();
    else void this.follower?.stop();
  }

  private endAll(): void {
    for (const subscription of this.subscriptions.values()) subscription.endAll();
  }
}
