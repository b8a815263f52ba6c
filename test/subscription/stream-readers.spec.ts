import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ANY_VERSION, EventRegistry, InMemoryEventStore, Subscriptions } from '../../src/index.js';
import { EventStream, type Shard, type ShardPage } from '../../src/store/event-stream.js';
import { InMemoryBookkeeping } from '../../src/store/in-memory-bookkeeping.js';
import { InMemoryEventFeed } from '../../src/store/in-memory-event-feed.js';
import { MoneyDeposited } from '../setup/bank.js';
import { until } from '../setup/until.js';

/** A stream without records, which knows when it was read last. */
class QuietStream extends EventStream {
  readAt = 0;

  override async shards(): Promise<readonly Shard[]> {
    return [{ id: 's' }];
  }

  override async iterator(): Promise<string> {
    return 's';
  }

  override async read(): Promise<ShardPage> {
    this.readAt = performance.now();
    return { events: [], last: undefined, next: 's' };
  }

  override close(): void {}
}

const TIMING = { marginMs: 1, backtrackMs: 50, pollMs: 2, leaseMs: 900 };
const TYPES = ['a', 'b', 'c', 'd'];

describe('processes that read a stream', () => {
  const registry = new EventRegistry().register(MoneyDeposited);
  let store: InMemoryEventStore;
  let bookkeeping: InMemoryBookkeeping;
  let feed: InMemoryEventFeed;
  let handled: string[];
  const running: Subscriptions[] = [];

  beforeEach(() => {
    store = new InMemoryEventStore(registry);
    bookkeeping = new InMemoryBookkeeping();
    feed = new InMemoryEventFeed(store);
    handled = [];
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((subscriptions) => subscriptions.stop()));
  });

  function newProcess(name: string, source: 'feed' | 'streams', subscription = 'seen') {
    const subscriptions = new Subscriptions(feed, bookkeeping, registry, TIMING, () => {});
    const plan = { name: subscription, aggregateTypes: TYPES, from: 0, concurrency: 1, attempts: 1 } as const;
    subscriptions.add(
      { ...plan, poison: 'skip' },
      { batch: 1, wants: () => true, handle: async () => void handled.push(name) },
    );
    const stream = new QuietStream();
    if (source === 'streams') subscriptions.follow(stream, { readEveryMs: 2, lookEveryMs: 10 });
    subscriptions.start();
    running.push(subscriptions);
    const isReading = () => performance.now() - stream.readAt < 40;
    return { subscriptions, isReading };
  }

  const owners = async (subscriptions: Subscriptions, name = 'seen') =>
    (await subscriptions.status(name)).partitions.map(({ owner }) => owner);

  const appendToAll = () =>
    Promise.all(
      TYPES.map((aggregateType) =>
        store.append({ aggregateType, aggregateId: '1' }, [new MoneyDeposited(1)], { expectedVersion: ANY_VERSION }),
      ),
    );

  it('are two at most, and another one takes over', async () => {
    const processes = ['one', 'two', 'three'].map((name) => newProcess(name, 'streams'));
    const reading = () => processes.filter(({ isReading }) => isReading());
    const shared = async () => {
      const all = await owners(processes[0]!.subscriptions);
      return !all.includes(undefined) && new Set(all).size === 2;
    };
    let leaving: (typeof processes)[number] | undefined;
    await until(async () => {
      const all = reading();
      [leaving] = all;
      return all.length === 2 && (await shared());
    });
    const staying = processes.filter((each) => each !== leaving);
    await leaving!.subscriptions.stop();
    await until(async () => (await shared()) && staying.every(({ isReading }) => isReading()));
    await appendToAll();
    await until(() => handled.length === TYPES.length);
    expect(new Set(handled).size).toBe(2);
  });

  it('do not keep those from working that only poll', async () => {
    const processes = ['one', 'two', 'three'].map((name) => newProcess(name, 'feed'));
    await until(async () => {
      const all = await owners(processes[0]!.subscriptions);
      return !all.includes(undefined) && new Set(all).size === 3;
    });
  });

  it('are counted for each subscription, so that none is left without', async () => {
    const both = ['one', 'two'].map((name) => newProcess(name, 'streams'));
    const third = newProcess('three', 'streams', 'other');
    await until(async () => !(await owners(third.subscriptions, 'other')).includes(undefined));
    await until(() => [...both, third].every(({ isReading }) => isReading()));
  });
});
