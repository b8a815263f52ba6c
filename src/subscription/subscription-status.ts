import type { BookkeepingEntry } from '../store/bookkeeping.js';
import { END_OF_TIME, positionAt, timeOf } from '../store/event-feed.js';
import type { Control, Rebuild } from './controls.js';
import { leaseOf, type Lease } from './leases.js';
import type { Controlled } from './subscription.js';
import type { SubscriptionRun } from './subscription-run.js';

/** How a subscription stands. */
export interface SubscriptionStatus {
  readonly name: string;
  readonly state: Control['state'];
  /** Which of its views is the live one: 1, and one more with each rebuild. */
  readonly generation: number;
  readonly lag: SubscriptionLag;
  /** How many events are parked. */
  readonly parked: number;
  readonly partitions: readonly PartitionStatus[];
}

export interface SubscriptionLag {
  /** Events that are stored and not read yet; counted up to the given number. Parked ones, and what waits behind them, are none. */
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

/** How far a generation has come that is built beside the live one. */
export interface RebuildProgress {
  readonly generation: number;
  readonly startedAt: Date;
  /** Events that are handled, or passed as none of the projection's methods wants them. */
  readonly handled: number;
  /** How many there were when it began; more have come since. */
  readonly total: number;
  /** Over the last seconds, or since the start where nothing was looked at before. */
  readonly eventsPerSecond: number;
  /** By this speed; not there while nothing moves. */
  readonly remainingSeconds?: number;
  /** Whether it has all that was there when it began, and what is older than a few seconds by now. */
  readonly caughtUp: boolean;
}

type SeenLeases = ReadonlyMap<string, BookkeepingEntry<Lease>>;

/** Behind by less than this and the margin of reading counts as caught up, in milliseconds: there are always new events. */
const NEAR_MS = 2000;

/** So far may an event's time be ahead of the clock, as each in a stream is later than the one before. */
const AHEAD_MS = 1000;

export async function statusOf(
  name: string,
  { run, control: { state } }: Controlled,
  countUpTo: number,
): Promise<SubscriptionStatus> {
  const [leases, parked] = await Promise.all([run.leases.all(), run.parking.list()]);
  return {
    name,
    state,
    generation: run.generation.generation,
    lag: await lagOf(run, leases, countUpTo),
    parked: parked.length,
    partitions: run.partitions.map((partition) => {
      const owner = leaseOf(leases, partition)?.owner;
      const handledUntil = new Date(timeOf(leadOf(run, leases, partition)));
      return { partition, handledUntil, ...(owner !== undefined && { owner }) };
    }),
  };
}

/** A moment of a rebuild, to tell its speed by. */
export interface RebuildMoment {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly handled: number;
}

/**
 * @param before an earlier moment; the start by default
 * @param marginMs how old an event has to be to be read
 */
export async function progressOf(
  run: SubscriptionRun,
  { generation, startedAt, total }: Rebuild,
  marginMs: number,
  before: RebuildMoment = { at: startedAt, handled: 0 },
): Promise<RebuildProgress> {
  const leases = await run.leases.all();
  let handled = 0;
  for (const partition of run.partitions) {
    handled += run.placeOf(partition)?.handled ?? leaseOf(leases, partition)?.checkpoint?.handled ?? 0;
  }
  const eventsPerSecond = Math.max(0, handled - before.handled) / Math.max(0.001, (Date.now() - before.at) / 1000);
  // All that was there when it began has to be in it, however young that is.
  const until = Math.max(startedAt + AHEAD_MS, Date.now() - marginMs - NEAR_MS);
  return {
    generation,
    startedAt: new Date(startedAt),
    handled,
    total,
    eventsPerSecond,
    ...(eventsPerSecond > 0 && { remainingSeconds: Math.max(0, total - handled) / eventsPerSecond }),
    caughtUp: !(await hasUnread(run, leases, until)),
  };
}

async function lagOf(run: SubscriptionRun, leases: SeenLeases, countUpTo: number): Promise<SubscriptionLag> {
  let events = 0;
  let oldest = Infinity;
  for (const partition of run.partitions) {
    for (let from = leadOf(run, leases, partition), more = true; more && events < countUpTo;) {
      const page = await run.feed.read(partition, from, END_OF_TIME);
      const unread = page.events.filter(({ position }) => position > from);
      events += unread.length;
      oldest = Math.min(oldest, unread[0]?.event.eventTime ?? Infinity);
      from = unread.at(-1)?.position ?? from;
      more = page.more;
    }
  }
  return {
    events: Math.min(events, countUpTo),
    seconds: events === 0 ? 0 : Math.max(0, (Date.now() - oldest) / 1000),
  };
}

/** Whether an event of that time or older is not handled; asked of each partition with a read of two events. */
async function hasUnread(run: SubscriptionRun, leases: SeenLeases, until: number): Promise<boolean> {
  for (const partition of run.partitions) {
    const from = leadOf(run, leases, partition);
    if (timeOf(from) > until) continue;
    // One may be the last that was handled, as a read begins with it.
    const { events } = await run.feed.read(partition, from, until, undefined, 2);
    if (events.some(({ position }) => position > from)) return true;
  }
  return false;
}

function leadOf(run: SubscriptionRun, leases: SeenLeases, partition: string): string {
  return run.placeOf(partition)?.lead ?? leaseOf(leases, partition)?.checkpoint?.lead ?? positionAt(run.plan.from);
}
