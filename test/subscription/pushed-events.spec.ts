import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EventRegistry, InMemoryEventStore, Subscriptions } from '../../src/index.js';
import { InMemoryBookkeeping } from '../../src/store/in-memory-bookkeeping.js';
import { InMemoryEventFeed } from '../../src/store/in-memory-event-feed.js';
import type { StoredEvent } from '../../src/store/stored-event.js';
import { Parking } from '../../src/subscription/parking.js';
import { MoneyDeposited } from '../setup/bank.js';
import { until } from '../setup/until.js';

const PLAN = {
  name: 'seen',
  aggregateTypes: ['account'],
  from: 0,
  concurrency: 4,
  attempts: 1,
  poison: 'stop-aggregate',
} as const;

interface Lease {
  readonly checkpoint?: { readonly recent: object };
}

const TIMING = { marginMs: 1, backtrackMs: 20, pollMs: 2, leaseMs: 2000 };

describe('events that are brought to a process', () => {
  const registry = new EventRegistry().register(MoneyDeposited);
  let store: InMemoryEventStore;
  let bookkeeping: InMemoryBookkeeping;
  let feed: InMemoryEventFeed;
  let seen: StoredEvent[];
  let failing: (event: StoredEvent) => boolean;
  let during: (event: StoredEvent, signal: AbortSignal) => Promise<void>;
  const open: Subscriptions[] = [];

  beforeEach(() => {
    store = new InMemoryEventStore(registry);
    bookkeeping = new InMemoryBookkeeping();
    feed = new InMemoryEventFeed(store);
    seen = [];
    failing = () => false;
    during = async () => {};
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((subscriptions) => subscriptions.stop()));
  });

  /** What a process has, which remembers nothing of the others. */
  function newProcess(): Subscriptions {
    const subscriptions = new Subscriptions(feed, bookkeeping, registry, TIMING, () => {});
    subscriptions.add(PLAN, {
      batch: 1,
      wants: () => true,
      handle: async (events, signal) => {
        for (const event of events) await during(event, signal);
        if (events.some(failing)) throw new Error('The view is broken.');
        seen.push(...events);
      },
    });
    open.push(subscriptions);
    return subscriptions;
  }

  async function append(aggregateId: string, events: number): Promise<readonly StoredEvent[]> {
    const stream = { aggregateType: 'account', aggregateId };
    const stored = store.storedEvents(stream).length;
    for (let at = 0; at < events; at++) {
      await store.append(stream, [new MoneyDeposited(1)], { expectedVersion: stored + at });
    }
    return store.storedEvents(stream);
  }

  const push = (subscriptions: Subscriptions, events: readonly StoredEvent[]) =>
    subscriptions.push(events, Date.now() + 5000);
  const versions = () => seen.map(({ version }) => version);

  it('go on behind what was handled from the feed', async () => {
    const polling = newProcess();
    const stored = await append('a', 5);
    polling.start();
    await until(() => seen.length === 5);
    // Until all of it is settled, and no version is named any more.
    const checkpoint = async () => (await bookkeeping.entries<Lease>(['subscription', 'seen']))[0]?.value.checkpoint;
    await new Promise((resolve) => setTimeout(resolve, 100));
    await polling.stop();
    expect((await checkpoint())?.recent).toEqual({});
    for (let count = 0; count < 2; count++) {
      const all = await append('a', 2);
      expect([...(await push(newProcess(), all.slice(-1)))]).toEqual([]);
    }
    await push(newProcess(), stored);
    expect(versions()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('are handled again, in order, where a process begins to poll after them', async () => {
    const stored = await append('a', 3);
    await push(newProcess(), stored);
    newProcess().start();
    await until(() => seen.length === 6);
    expect(versions()).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('come again while another process settles the parked event before them', async () => {
    const stored = await append('a', 3);
    const other = await append('b', 1);
    failing = ({ version }) => version === 2;
    const subscriptions = newProcess();
    expect((await push(subscriptions, stored)).size).toBe(0);
    failing = () => false;
    await subscriptions.retry((await subscriptions.parked('seen'))[0]!);
    const parking = new Parking(bookkeeping, 'seen');
    const [entry] = await parking.list();
    const claimedUntil = Date.now() + 1000;
    const claimed = await parking.claim(entry!, claimedUntil);
    expect(claimed).toMatchObject({ revision: entry!.revision + 1 });
    expect(await parking.claim(claimed!, claimedUntil)).toBeUndefined();
    expect([...(await push(subscriptions, [...stored, ...other]))]).toEqual(stored);
    expect(versions()).toEqual([1, 1]);
    // Whoever had claimed it is gone.
    await until(() => Date.now() > claimedUntil);
    expect((await push(subscriptions, stored)).size).toBe(0);
    expect(versions()).toEqual([1, 1, 2, 3]);
    expect(await subscriptions.parked('seen')).toEqual([]);
  });

  it('come again while a process that has no time left is still at the parked event before them', async () => {
    const stored = await append('a', 3);
    failing = ({ version }) => version === 2;
    const [leaving, other] = [newProcess(), newProcess()];
    await push(leaving, stored);
    failing = () => false;
    await leaving.retry((await leaving.parked('seen'))[0]!);
    let isOver = false;
    let goOn = () => {};
    during = (_, signal) => {
      signal.addEventListener('abort', () => (isOver = true));
      return new Promise((resolve) => (goOn = resolve));
    };
    const left = leaving.push(stored, Date.now() + 20);
    await until(() => isOver);
    during = async () => {};
    expect([...(await push(other, stored))]).toEqual(stored);
    goOn();
    await left;
    expect((await push(other, stored)).size).toBe(0);
    expect(versions()).toEqual([1, 2, 3]);
  });

  it('wait behind a parked event also where settling it fails once more', async () => {
    const stored = await append('a', 3);
    failing = ({ version }) => version === 2;
    const subscriptions = newProcess();
    await push(subscriptions, stored);
    await subscriptions.retry((await subscriptions.parked('seen'))[0]!);
    await push(subscriptions, stored);
    expect(versions()).toEqual([1]);
    const [parked] = await subscriptions.parked('seen');
    expect(parked).toMatchObject({ version: 2 });
    expect(parked).not.toHaveProperty('requested');
    failing = () => false;
    await subscriptions.retry(parked!);
    await push(newProcess(), await append(randomUUID(), 1));
    expect(versions()).toEqual([1, 2, 3, 1]);
  });

  it.each(['retry', 'discard'] as const)(
    'wait for no more than is left to settle, where time was up: %s',
    async (what) => {
      const stored = await append('a', 6);
      failing = ({ version }) => version === 2;
      const subscriptions = newProcess();
      await push(subscriptions, stored);
      failing = () => false;
      await subscriptions[what]((await subscriptions.parked('seen'))[0]!);
      during = async ({ version }, signal) => {
        if (version === 4) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      };
      expect([...(await subscriptions.push(stored, Date.now() + 300))]).toEqual(stored);
      during = async () => {};
      expect((await push(newProcess(), stored)).size).toBe(0);
      expect(versions()).toEqual(what === 'retry' ? [1, 2, 3, 4, 5, 6] : [1, 3, 4, 5, 6]);
      expect(await subscriptions.parked('seen')).toEqual([]);
    },
  );

  it('are handled in a time that is no whole number of milliseconds', async () => {
    const stored = await append('a', 2);
    expect((await newProcess().push(stored, Date.now() + 5000.5)).size).toBe(0);
    expect(versions()).toEqual([1, 2]);
  });

  it('are all brought again when the database is away', async () => {
    const stored = await append('a', 2);
    const subscriptions = newProcess();
    bookkeeping.positionsOf = () => Promise.reject(new Error('gone'));
    expect([...(await push(subscriptions, stored))]).toEqual(stored);
    expect(seen).toEqual([]);
  });
});
