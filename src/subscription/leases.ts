import { randomUUID } from 'node:crypto';
import type { Bookkeeping, BookkeepingEntry } from '../store/bookkeeping.js';
import { positionAt } from '../store/event-feed.js';

/** How far a partition's reader has come. */
export interface Checkpoint {
  /** All up to here is handled, and nothing comes late any more. */
  readonly settled: string;
  /** All up to here was read. */
  readonly lead: string;
  /** Versions handled behind `settled`, by the hash of the stream. */
  readonly recent: Readonly<Record<string, number>>;
  /** How many events were handled since the beginning; absent in checkpoints of before this was counted. */
  readonly handled?: number;
}

/** Where to begin when nothing is kept yet; milliseconds since 1970. */
export function checkpointAt(time: number): Checkpoint {
  const position = positionAt(time);
  return { settled: position, lead: position, recent: {} };
}

export interface Lease {
  /** The process that reads the partition. */
  readonly owner?: string;
  readonly checkpoint?: Checkpoint;
}

interface Presence {
  readonly subscriptions: readonly string[];
  /** Whether it reads the stream, where it has partitions. */
  readonly readsStream?: boolean;
}

/** Another process has taken the partition over: what this one still does of it must not count. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

/** A partition that this process reads, until it gives it back or another takes it. */
export class HeldLease {
  private lost = false;

  constructor(
    private readonly bookkeeping: Bookkeeping,
    private readonly subject: readonly string[],
    readonly partition: string,
    private readonly owner: string,
    private revision: number,
    readonly checkpoint: Checkpoint | undefined,
  ) {}

  /** @throws LeaseLostError */
  async save(checkpoint: Checkpoint): Promise<void> {
    await this.write({ owner: this.owner, checkpoint });
  }

  /** Gives the partition back, for another process or the next start. @throws LeaseLostError */
  async release(checkpoint: Checkpoint): Promise<void> {
    await this.write({ checkpoint });
  }

  private async write(lease: Lease): Promise<void> {
    if (this.lost) throw new LeaseLostError();
    // Each write raises the revision, which fences off whoever had the partition before.
    if (await this.bookkeeping.write(this.subject, idOf(this.partition), lease, this.revision)) {
      this.revision++;
      return;
    }
    this.lost = true;
    throw new LeaseLostError();
  }
}

/** Which of a subscription's partitions are whose. */
export class Leases {
  private readonly subject: readonly string[];

  constructor(
    private readonly bookkeeping: Bookkeeping,
    subscription: string,
  ) {
    this.subject = ['subscription', subscription];
  }

  async all(): Promise<ReadonlyMap<string, BookkeepingEntry<Lease>>> {
    const entries = await this.bookkeeping.entries<Lease>(this.subject);
    return new Map(entries.map((entry) => [entry.id, entry]));
  }

  /** Takes partitions that nobody alive holds, up to a number of them. */
  async take(
    partitions: readonly string[],
    count: number,
    owner: string,
    alive: ReadonlySet<string>,
  ): Promise<HeldLease[]> {
    const leases = await this.all();
    const taken: HeldLease[] = [];
    for (const partition of partitions) {
      if (taken.length >= count) break;
      const entry = leases.get(idOf(partition));
      if (entry?.value.owner !== undefined && entry.value.owner !== owner && alive.has(entry.value.owner)) continue;
      const { revision = 0, value: { checkpoint } = {} } = entry ?? {};
      const lease = { owner, ...(checkpoint && { checkpoint }) };
      if (!(await this.bookkeeping.write(this.subject, idOf(partition), lease, revision))) continue;
      taken.push(new HeldLease(this.bookkeeping, this.subject, partition, owner, revision + 1, checkpoint));
    }
    return taken;
  }

  /** Gives back what is kept as an owner's, of partitions that it does not read: a write went wrong when it took or left them. */
  async giveBack(partitions: readonly string[], owner: string): Promise<void> {
    const leases = await this.all();
    for (const partition of partitions) {
      const entry = leases.get(idOf(partition));
      if (entry?.value.owner !== owner) continue;
      const { checkpoint } = entry.value;
      await this.bookkeeping.write(this.subject, entry.id, { ...(checkpoint && { checkpoint }) }, entry.revision);
    }
  }

  /** Sets the checkpoint of each partition, whoever holds it: that one loses it, and begins anew from there. */
  async reset(partitions: readonly string[], checkpoint: Checkpoint): Promise<void> {
    for (const partition of partitions) {
      for (;;) {
        const { revision = 0 } = (await this.all()).get(idOf(partition)) ?? {};
        if (await this.bookkeeping.write(this.subject, idOf(partition), { checkpoint }, revision)) break;
      }
    }
  }
}

function idOf(partition: string): string {
  return `slice#${partition}`;
}

export function leaseOf(leases: ReadonlyMap<string, BookkeepingEntry<Lease>>, partition: string): Lease | undefined {
  return leases.get(idOf(partition))?.value;
}

const WORKERS = ['workers'];

/**
 * So many processes read the stream; more of them on one shard may be throttled (DynamoDB Streams API Reference,
 * GetRecords, LimitExceededException).
 */
const STREAM_READERS = 2;

/** A process that has been silent for so many lease times is forgotten. */
const FORGOTTEN_AFTER = 20;

/** The processes that share the work. Each shows now and then that it is alive, by writing its entry anew. */
export class Membership {
  readonly id = randomUUID();
  private revision = 0;
  private renewedAt = 0;
  /** When each process was last seen to write, by the clock of this one: no two clocks are compared. */
  private readonly seen = new Map<string, { revision: number; at: number }>();
  private present: readonly BookkeepingEntry<Presence>[] = [];

  constructor(
    private readonly bookkeeping: Bookkeeping,
    private readonly leaseMs: number,
  ) {}

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
    await this.look();
    // It was forgotten by the others, or a write of its own was done without its hearing of it.
    if (!written) this.revision = this.present.find(({ id }) => id === this.id)?.revision ?? 0;
  }

  /**
   * The processes that work at a subscription, this one among them, in an order that all of them agree on. Of those that
   * would read the stream, all but the first ones stand by.
   */
  workersOf(subscription: string): readonly string[] {
    const alive = this.present
      .filter(({ id, value }) => value.subscriptions.includes(subscription) && this.isAlive(id))
      .toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const standingBy = alive.filter(({ value }) => value.readsStream).slice(STREAM_READERS);
    return alive.filter((each) => !standingBy.includes(each)).map(({ id }) => id);
  }

  get alive(): ReadonlySet<string> {
    return new Set(this.present.map(({ id }) => id).filter((id) => this.isAlive(id)));
  }

  async leave(): Promise<void> {
    await this.bookkeeping.remove(WORKERS, this.id, this.revision);
  }

  private isAlive(id: string): boolean {
    return id === this.id || performance.now() - (this.seen.get(id)?.at ?? -Infinity) < this.leaseMs;
  }

  private async look(): Promise<void> {
    this.present = await this.bookkeeping.entries<Presence>(WORKERS);
    const now = performance.now();
    for (const { id, revision } of this.present) {
      const known = this.seen.get(id);
      if (known?.revision !== revision) this.seen.set(id, { revision, at: now });
      else if (now - known.at > FORGOTTEN_AFTER * this.leaseMs) await this.bookkeeping.remove(WORKERS, id, revision);
    }
  }
}
