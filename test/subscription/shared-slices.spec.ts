import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EventStoreUnavailableError } from '../../src/index.js';
import type { Lease } from '../../src/subscription/leases.js';
import type { Subscriptions } from '../../src/subscription/subscriptions.js';
import type { Worker } from '../../src/subscription/worker.js';
import { newWorld, PLAN, streamOf } from '../contract/subscription-source-contract.js';
import { until } from '../setup/until.js';
import { SeenEvents } from '../sources/seen-events.js';
import type { SubscriptionWorld } from '../sources/subscription-world.js';
import { PAGE } from '../sources/untidy-feed.js';

/** Enough for each slice to have some. */
const AGGREGATES = Array.from({ length: 16 }, (_, index) => `a-${index}`);
const SLICES = 4;

describe('slices that processes share', () => {
  let world: SubscriptionWorld;
  let seen: SeenEvents;
  const open: Subscriptions[] = [];

  beforeEach(() => {
    [world, seen] = [newWorld({ leaseMs: 600 }), new SeenEvents()];
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((subscriptions) => subscriptions.stop()));
  });

  /** A process that knows the subscription, and others; `start` lets it work at them. */
  function newProcess(...others: readonly string[]): Subscriptions {
    const subscriptions = world.newSubscriptions();
    for (const name of others) {
      subscriptions.add({ ...PLAN, name, attempts: 1, poison: 'stop-aggregate' }, new SeenEvents());
    }
    subscriptions.add({ ...PLAN, concurrency: 1, name: 'seen', attempts: 1, poison: 'stop-aggregate' }, seen);
    open.push(subscriptions);
    return subscriptions;
  }

  const leases = () => world.bookkeeping.entries<Lease>(['subscription', 'seen']);
  /** How many slices each owner has, the fewest first. */
  async function shares(): Promise<readonly number[]> {
    const counts = new Map<string, number>();
    for (const { value } of await leases()) {
      if (value.owner) counts.set(value.owner, (counts.get(value.owner) ?? 0) + 1);
    }
    return [...counts.values()].toSorted();
  }
  const areShared = (...expected: readonly number[]) =>
    until(async () => JSON.stringify(await shares()) === JSON.stringify(expected));

  /** Until every slice has been read, and its reader has nothing more to save. */
  async function idle(): Promise<void> {
    await until(async () => {
      const saved = (await leases()).map(({ value }) => value.checkpoint);
      const isIdle = (checkpoint: Lease['checkpoint']) => checkpoint && Object.keys(checkpoint.recent).length === 0;
      return saved.length === SLICES && saved.every(isIdle);
    });
  }

  async function expectAllRead(): Promise<void> {
    const before = new Map(AGGREGATES.map((id) => [id, seen.of(id).length]));
    for (const id of AGGREGATES) world.write(streamOf(id));
    await until(() => AGGREGATES.every((id) => seen.of(id).length > before.get(id)!));
  }

  it('are read anew after a reset by a process that does not read them, though nothing happens', async () => {
    newProcess().start();
    await expectAllRead();
    await idle();
    await newProcess().reset('seen', new Date(0));
    await until(() => AGGREGATES.every((id) => seen.of(id).length === 2));
    await areShared(SLICES);
  });

  it('are all read after a reset by one of the processes that share them', async () => {
    const [one, other] = [newProcess(), newProcess()];
    one.start();
    await areShared(SLICES);
    other.start();
    await areShared(2, 2);
    await expectAllRead();
    await idle();
    for (const process of [one, other]) {
      await process.reset('seen', new Date(0));
      await areShared(2, 2);
      await expectAllRead();
      await idle();
    }
  });

  it('are left to a process that came while another was about to take them', async () => {
    const { bookkeeping } = world;
    const entries = bookkeeping.entries.bind(bookkeeping);
    const write = bookkeeping.write.bind(bookkeeping);
    const taken = new Set<string>();
    let goOn: (() => void) | undefined;
    bookkeeping.entries = async (subject) => {
      // It has looked who else there is by now, and asks whose the slices are.
      if (!goOn && subject[0] === 'subscription') await new Promise<void>((resolve) => (goOn = resolve));
      return entries(subject);
    };
    bookkeeping.write = async (subject, id, value, revision) => {
      const { owner } = value as Lease;
      if (subject[0] === 'subscription' && owner) taken.add(`${id} by ${owner}`);
      return write(subject, id, value, revision);
    };
    newProcess().start();
    await until(() => goOn !== undefined);
    newProcess().start();
    await areShared(2);
    goOn!();
    await areShared(2, 2);
    expect(taken.size).toBe(SLICES);
    await expectAllRead();
  });

  it('are all read where one could not be given back at once', async () => {
    const { bookkeeping } = world;
    const write = bookkeeping.write.bind(bookkeeping);
    let outages = 0;
    bookkeeping.write = async (subject, id, value, revision) => {
      const isRelease = subject[0] === 'subscription' && !(value as Lease).owner;
      if (isRelease && outages++ === 0) throw new EventStoreUnavailableError('It is away.');
      return write(subject, id, value, revision);
    };
    newProcess().start();
    await areShared(SLICES);
    newProcess().start();
    await areShared(2, 2);
    await expectAllRead();
    expect(outages).toBeGreaterThan(1);
  });

  it('are all read after a process stood still for so long that another took over', async () => {
    const [one, other] = [newProcess(), newProcess()];
    one.start();
    await areShared(SLICES);
    const owner = (await leases())[0]!.value.owner;
    await expectAllRead();
    await idle();
    clearTimeout(Reflect.get(Reflect.get(one, 'worker') as object, 'timer') as NodeJS.Timeout);
    other.start();
    await until(async () => (await leases()).every(({ value }) => value.owner && value.owner !== owner));
    // It comes to life again.
    await one.resume('seen');
    await areShared(2, 2);
    await expectAllRead();
  });

  it('are all read by those who follow, where one who left could not give its own back', async () => {
    const { bookkeeping } = world;
    const [leaving, staying] = [newProcess('left'), newProcess()];
    leaving.start();
    await areShared(SLICES);
    staying.start();
    await areShared(2, 2);
    const write = bookkeeping.write.bind(bookkeeping);
    let outages = 0;
    bookkeeping.write = async (subject, id, value, revision) => {
      const isRelease = subject[1] === 'seen' && !(value as Lease).owner;
      if (isRelease && outages++ < 2) throw new EventStoreUnavailableError('It is away.');
      return write(subject, id, value, revision);
    };
    // It is alive, and goes on with another subscription.
    await (Reflect.get(leaving, 'worker') as Worker).leave('seen');
    expect(outages).toBe(2);
    await areShared(SLICES);
    await expectAllRead();
  });

  it('go on from one process to the next without a repeat of what the one before the last was ahead with', async () => {
    const slice = world.feed.partitionOf(streamOf('first'));
    const inSlice = Array.from({ length: 2000 }, (_, index) => `a-${index}`).filter(
      (id) => world.feed.partitionOf(streamOf(id)) === slice,
    );
    const [ids, between] = [inSlice.slice(0, 10), inSlice.slice(10, 10 + PAGE - 3)];
    /** A process that ends while it handles the event of one aggregate, and as soon as it has done so. */
    const endAt = async (id: string) => {
      const block = seen.blockAt(1, id);
      const subscriptions = newProcess();
      subscriptions.start();
      await until(() => block.isReached);
      const stopped = subscriptions.stop();
      await until(() => block.isToEnd);
      block.open();
      await stopped;
    };
    for (const [index, id] of ids.entries()) world.write(streamOf(id), { clock: 1000 * (index + 1) });
    await until(() => world.feed.isComplete);
    await endAt(ids[5]!);
    // So many show late that the next page ends in the middle of what was handled.
    for (const [index, id] of between.entries()) world.write(streamOf(id), { clock: 3001 + index });
    await until(() => world.feed.isComplete);
    await endAt(ids[7]!);
    newProcess().start();
    await until(() => ids.every((id) => seen.of(id).length > 0));
    for (const id of [...ids, ...between]) expect([id, seen.of(id)]).toEqual([id, [1]]);
  });

  it('are those of a process that leaves until it has handled what it is at', async () => {
    const process = newProcess('left');
    process.start();
    const block = seen.blockAt(1);
    world.write(streamOf('a'));
    await until(() => block.isReached);
    const worker = Reflect.get(process, 'worker') as Worker;
    const presence = async () =>
      (await world.bookkeeping.entries<{ subscriptions: readonly string[] }>(['workers']))[0]!;
    const left = worker.leave('seen');
    const { revision } = await presence();
    await until(async () => (await presence()).revision >= revision + 2);
    expect((await presence()).value.subscriptions.toSorted()).toEqual(['left', 'seen']);
    block.open();
    await left;
    await until(async () => (await presence()).value.subscriptions.join() === 'left');
  });
});
