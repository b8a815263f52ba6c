import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EventStoreUnavailableError } from '../../src/index.js';
import type { Lease } from '../../src/subscription/leases.js';
import type { Subscriptions } from '../../src/subscription/subscriptions.js';
import { newWorld, PLAN, streamOf } from '../contract/subscription-source-contract.js';
import { until } from '../setup/until.js';
import { SeenEvents } from '../sources/seen-events.js';
import type { SubscriptionWorld } from '../sources/subscription-world.js';

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

  /** A process that knows the subscription; `start` lets it work at it. */
  function newProcess(): Subscriptions {
    const subscriptions = world.newSubscriptions();
    subscriptions.add({ ...PLAN, name: 'seen', attempts: 1, poison: 'stop-aggregate' }, seen);
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
    clearTimeout(Reflect.get(one, 'timer') as NodeJS.Timeout);
    other.start();
    await until(async () => (await leases()).every(({ value }) => value.owner && value.owner !== owner));
    // It comes to life again.
    await one.resume('seen');
    await areShared(2, 2);
    await expectAllRead();
  });
});
