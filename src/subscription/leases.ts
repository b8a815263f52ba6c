import type { Bookkeeping, BookkeepingEntry } from '../store/bookkeeping.js';
import { positionAt } from '../store/event-feed.js';

/** How far a partition's reader has come. */
export interface Checkpoint {
  /** All up to here is handled, and nothing comes late any more. */
  readonly settled: string;
  /** All up to here was read. */
  readonly lead: string;
  /** Versions handled at `settled` or behind it, by the hash of the stream. */
  readonly recent: Readonly<Record<string, number>>;
  /**
   * Up to where these stand: beyond `lead` where a page was handled in part, or a stream told of them. Absent in
   * checkpoints of before this was kept.
   */
  readonly recentUntil?: string;
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

  /**
   * Takes partitions that nobody alive holds, up to a number of them, and gives back those that were kept as its own.
   *
   * @param lookWhoLives called when the owners are known: some of them may have come just now
   */
  async take(
    partitions: readonly string[],
    count: number,
    owner: string,
    lookWhoLives: () => Promise<ReadonlySet<string>>,
  ): Promise<HeldLease[]> {
    const leases = await this.all();
    const alive = await lookWhoLives();
    const taken: HeldLease[] = [];
    for (const partition of partitions) {
      const entry = leases.get(idOf(partition));
      if (taken.length >= count) {
        await this.release(entry, owner);
        continue;
      }
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
    for (const partition of partitions) await this.release(leases.get(idOf(partition)), owner);
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

  private async release(entry: BookkeepingEntry<Lease> | undefined, owner: string): Promise<void> {
    if (entry?.value.owner !== owner) return;
    const { checkpoint } = entry.value;
    await this.bookkeeping.write(this.subject, entry.id, { ...(checkpoint && { checkpoint }) }, entry.revision);
  }
}

function idOf(partition: string): string {
  return `slice#${partition}`;
}

export function leaseOf(leases: ReadonlyMap<string, BookkeepingEntry<Lease>>, partition: string): Lease | undefined {
  return leases.get(idOf(partition))?.value;
}
