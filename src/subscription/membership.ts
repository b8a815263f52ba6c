import { randomUUID } from 'node:crypto';
import type { Bookkeeping, BookkeepingEntry } from '../store/bookkeeping.js';

interface Presence {
  readonly subscriptions: readonly string[];
  /** Whether it reads the stream, where it has partitions. */
  readonly readsStream?: boolean;
}

const WORKERS = ['workers'];

/** So often a process renews its entry in a lease time. */
const RENEWALS = 3;

/**
 * So many processes read the stream; more of them on one shard may be throttled (DynamoDB Streams API Reference,
 * GetRecords, LimitExceededException).
 */
const STREAM_READERS = 2;

/** A process that has been silent for so many lease times is forgotten. */
const FORGOTTEN_AFTER = 20;

interface Look {
  /** When the processes were asked for, by the clock of this one. */
  readonly at: number;
  readonly present: readonly BookkeepingEntry<Presence>[];
}

/** The processes that share the work. Each shows now and then that it is alive, by writing its entry anew. */
export class Membership {
  readonly id = randomUUID();
  private revision = 0;
  private renewedAt = 0;
  /** When each process was last seen to write, by the clock of this one: no two clocks are compared. */
  private readonly seen = new Map<string, { revision: number; at: number }>();
  private lastLook: Look = { at: 0, present: [] };
  /** How much later the next renewal is due. */
  readonly renewEveryMs: number;

  constructor(
    private readonly bookkeeping: Bookkeeping,
    private readonly leaseMs: number,
  ) {
    this.renewEveryMs = leaseMs / RENEWALS;
  }

  /** Whether this process may still hold what it holds: others take it over when they have not seen it for a lease time. */
  get isCurrent(): boolean {
    return this.renewedAt > 0 && performance.now() - this.renewedAt < this.leaseMs;
  }

  /** Says that this process is alive, and looks who else is. */
  async renew(subscriptions: readonly string[], readsStream: boolean): Promise<void> {
    const at = performance.now();
    const value: Presence = { subscriptions, ...(readsStream && { readsStream }) };
    const written = await this.bookkeeping.write(WORKERS, this.id, value, this.revision);
    if (written) {
      this.revision++;
      this.renewedAt = at;
    }
    this.lastLook = await this.look();
    // It was forgotten by the others, or a write of its own was done without its hearing of it.
    if (!written) this.revision = this.lastLook.present.find(({ id }) => id === this.id)?.revision ?? 0;
  }

  /**
   * The processes that work at a subscription, this one among them, in an order that all of them agree on. Of those that
   * would read the stream, all but the first ones stand by.
   */
  workersOf(subscription: string): readonly string[] {
    const alive = this.aliveOf(subscription, this.lastLook).toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const standingBy = alive.filter(({ value }) => value.readsStream).slice(STREAM_READERS);
    return alive.filter((each) => !standingBy.includes(each)).map(({ id }) => id);
  }

  /**
   * Looks which processes may hold partitions of a subscription, also where they only stand by. Each shows itself before it
   * takes one: of the owners that were read before, those that live are among them.
   */
  async aliveAt(subscription: string): Promise<ReadonlySet<string>> {
    const look = await this.look();
    return new Set(this.aliveOf(subscription, look).map(({ id }) => id));
  }

  async leave(): Promise<void> {
    await this.bookkeeping.remove(WORKERS, this.id, this.revision);
  }

  private aliveOf(subscription: string, { at, present }: Look): readonly BookkeepingEntry<Presence>[] {
    // What a look has shown counts until the next one is due, and no longer: while this process stands still, or waits
    // for an answer, the others go on unseen.
    const knownUntil = Math.min(performance.now(), at + this.renewEveryMs);
    const isAlive = (id: string) => id === this.id || knownUntil - (this.seen.get(id)?.at ?? -Infinity) < this.leaseMs;
    return present.filter(({ id, value }) => value.subscriptions.includes(subscription) && isAlive(id));
  }

  private async look(): Promise<Look> {
    const at = performance.now();
    const present = await this.bookkeeping.entries<Presence>(WORKERS);
    const now = performance.now();
    for (const { id, revision } of present) {
      const known = this.seen.get(id);
      if (known?.revision !== revision) this.seen.set(id, { revision, at: now });
      else if (at - known.at > FORGOTTEN_AFTER * this.leaseMs) await this.bookkeeping.remove(WORKERS, id, revision);
    }
    return { at, present };
  }
}
