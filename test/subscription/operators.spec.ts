import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EventStoreUnavailableError, OperationAbortedError, SubscriptionError } from '../../src/index.js';
import type { StoredEvent } from '../../src/store/stored-event.js';
import { FeedReader } from '../../src/subscription/feed-reader.js';
import { Leases, type Checkpoint, type Lease } from '../../src/subscription/leases.js';
import type { ParkedEvent } from '../../src/subscription/parking.js';
import { Parking } from '../../src/subscription/parking.js';
import type { SubscriptionPlan } from '../../src/subscription/subscription-run.js';
import type { Subscriptions } from '../../src/subscription/subscriptions.js';
import { newWorld, PLAN, streamOf, upTo } from '../contract/subscription-source-contract.js';
import { collect } from '../setup/collect.js';
import { until } from '../setup/until.js';
import { SeenEvents } from '../sources/seen-events.js';
import type { SubscriptionWorld } from '../sources/subscription-world.js';

/** What operators do in one process, or in several, while events come. */
describe('a subscription', () => {
  let world: SubscriptionWorld;
  let seen: SeenEvents;
  const open: Subscriptions[] = [];

  beforeEach(() => {
    [world, seen] = [newWorld(), new SeenEvents()];
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((subscriptions) => subscriptions.stop()));
  });

  /** A process that knows the subscription; `start` lets it work at it. */
  function newProcess(plan: Partial<SubscriptionPlan> = {}): Subscriptions {
    const subscriptions = world.newSubscriptions();
    subscriptions.add({ ...PLAN, name: 'seen', attempts: 1, poison: 'stop-aggregate', ...plan }, seen);
    open.push(subscriptions);
    return subscriptions;
  }

  function start(plan: Partial<SubscriptionPlan> = {}): Subscriptions {
    const subscriptions = newProcess(plan);
    subscriptions.start();
    return subscriptions;
  }

  const checkpoints = async (): Promise<readonly Checkpoint[]> => {
    const leases = await new Leases(world.bookkeeping, 'seen').all();
    return [...leases.values()].flatMap(({ value }) => value.checkpoint ?? []);
  };
  const parked = () => new Parking(world.bookkeeping, 'seen').list();
  const isParked = (count: number) => until(async () => (await parked()).length === count);
  const first = async (): Promise<ParkedEvent> => (await parked())[0]!.parked;

  /** Lets the second of so many events of an aggregate fail, and those behind it wait; from then on none fails. */
  async function parkSecondOf(events: number): Promise<void> {
    seen.failing = ({ version }) => version === 2;
    world.write(streamOf('a'), { events });
    await isParked(1);
    seen.failing = () => false;
  }

  describe('with a parked event that another process settles', () => {
    const endsAt = () => Date.now() + 10_000;

    it('goes on behind it', async () => {
      start();
      await parkSecondOf(3);
      const other = newProcess();
      await other.retry(await first());
      // Another aggregate's event brings it to its part.
      await other.push(world.write(streamOf('b'), { lateMs: Infinity }), endsAt());
      expect(await parked()).toEqual([]);
      expect(seen.of('a')).toEqual([1, 2, 3]);
      world.write(streamOf('a'), { events: 2 });
      await until(() => seen.of('a').length === 5);
      expect(seen.of('a')).toEqual([1, 2, 3, 4, 5]);
      await isParked(0);
    });

    it('goes on behind it where it was asked to settle it as well', async () => {
      const process = start();
      await parkSecondOf(3);
      const { bookkeeping } = world;
      const entry = bookkeeping.entry.bind(bookkeeping);
      let looks = 0;
      bookkeeping.entry = async (...args) => {
        // First the operator looks, then the process that is about to settle it: the other one is quicker.
        if (++looks === 2) await newProcess().push(world.write(streamOf('b'), { lateMs: Infinity }), endsAt());
        return entry(...args);
      };
      await process.retry(await first());
      await until(() => looks > 2);
      expect(seen.of('a')).toEqual([1, 2, 3]);
      world.write(streamOf('a'));
      await until(() => seen.of('a').length >= 4);
      expect(seen.of('a')).toEqual([1, 2, 3, 4]);
      await isParked(0);
    });
  });

  it('goes on behind what another process has settled, though an outage comes in the middle', async () => {
    start();
    await parkSecondOf(3);
    const { bookkeeping } = world;
    const entry = bookkeeping.entry.bind(bookkeeping);
    const other = newProcess();
    await other.retry(await first());
    let outages = 0;
    bookkeeping.entry = async (...args) => {
      if (outages++ === 0) throw new EventStoreUnavailableError('It is away.');
      return entry(...args);
    };
    await other.push(world.write(streamOf('b'), { lateMs: Infinity }), Date.now() + 10_000);
    world.write(streamOf('a'));
    await until(() => seen.of('a').length === 4);
    expect(outages).toBeGreaterThan(1);
    expect(seen.of('a')).toEqual([1, 2, 3, 4]);
    await isParked(0);
  });

  it('reads what is parked a few times where another process has settled many', async () => {
    start();
    const ids = Array.from({ length: 40 }, (_, index) => `a-${index}`);
    seen.failing = () => true;
    for (const id of ids) world.write(streamOf(id), { lateMs: 0 });
    await isParked(ids.length);
    seen.failing = () => false;
    const other = newProcess();
    const { bookkeeping } = world;
    const parking = new Parking(bookkeeping, 'seen');
    const entries = await parking.list();
    for (const each of entries.slice(1)) await parking.request(each, 'retry');
    await other.retry(entries[0]!.parked);
    await other.push(world.write(streamOf('b'), { lateMs: Infinity }), Date.now() + 10_000);
    let reads = 0;
    const list = bookkeeping.entries.bind(bookkeeping);
    bookkeeping.entries = (subject) => {
      if (subject[0] === 'parked') reads++;
      return list(subject);
    };
    for (const id of ids) world.write(streamOf(id), { lateMs: 0 });
    await until(() => ids.every((id) => seen.of(id).length === 2));
    expect(reads).toBeLessThan(12);
  });

  describe('with many parked events that are retried', () => {
    const ids = Array.from({ length: 30 }, (_, index) => `a-${index}`);
    let process: Subscriptions;

    beforeEach(async () => {
      process = start();
      seen.failing = () => true;
      for (const id of ids) world.write(streamOf(id), { lateMs: 0 });
      await isParked(ids.length);
      seen.failing = () => false;
    });

    it('reads what is parked a few times', async () => {
      const { bookkeeping } = world;
      const entries = bookkeeping.entries.bind(bookkeeping);
      let reads = 0;
      bookkeeping.entries = (subject) => {
        if (subject[0] === 'parked') reads++;
        return entries(subject);
      };
      for (const { parked: each } of await parked()) await process.retry(each);
      await until(() => ids.every((id) => seen.of(id).length === 1));
      expect(reads).toBeLessThan(6);
    });

    it('handles others between two of them', async () => {
      const { feed, bookkeeping } = world;
      const slice = feed.partitionOf(streamOf('b'));
      const neighbours = ids.filter((id) => feed.partitionOf(streamOf(id)) === slice);
      const blocks = neighbours.map((id) => seen.blockAt(1, id));
      const entries = await parked();
      for (const entry of entries.slice(1)) await new Parking(bookkeeping, 'seen').request(entry, 'retry');
      await process.retry(entries[0]!.parked);
      await until(() => blocks.some(({ isReached }) => isReached));
      const [{ eventTime }] = world.write(streamOf('b'), { lateMs: 0 }) as [StoredEvent];
      await until(() => Date.now() > eventTime + world.settings.timing.marginMs);
      for (const { open: openOne } of blocks) openOne();
      await until(() => ids.every((id) => seen.of(id).length === 1) && seen.of('b').length === 1);
      const inSlice = seen.all
        .map(({ stream }) => stream.aggregateId)
        .filter((id) => [...neighbours, 'b'].includes(id));
      expect(neighbours.length).toBeGreaterThan(3);
      expect(inSlice.indexOf('b')).toBeLessThan(inSlice.length - 1);
    });
  });

  it('can be paused by its own handler', async () => {
    const process = start();
    let isPaused = false;
    const handle = seen.handle.bind(seen);
    seen.handle = async (events) => {
      await handle(events);
      await process.pause('seen');
      isPaused = true;
    };
    world.write(streamOf('a'));
    await until(() => isPaused);
    expect(seen.of('a')).toEqual([1]);
    seen.handle = handle;
    await process.resume('seen');
    world.write(streamOf('a'));
    await until(() => seen.of('a').length === 2);
    expect(seen.of('a')).toEqual([1, 2]);
  });

  it('can be paused by several of its handlers at once, which do not wait for each other', async () => {
    const process = start();
    const { feed } = world;
    const ids = Array.from({ length: 40 }, (_, index) => `a-${index}`);
    const one = ids[0]!;
    const other = ids.find((id) => feed.partitionOf(streamOf(id)) !== feed.partitionOf(streamOf(one)))!;
    const handle = seen.handle.bind(seen);
    let [begun, returned] = [0, 0];
    seen.handle = async (events) => {
      begun++;
      await until(() => begun === 2);
      await process.pause('seen');
      returned++;
      await handle(events);
    };
    for (const id of [one, other]) world.write(streamOf(id), { lateMs: 0 });
    await until(() => returned === 2);
    seen.handle = handle;
    await process.resume('seen');
    for (const id of [one, other]) world.write(streamOf(id));
    await until(() => seen.all.length === 4);
  });

  it('cannot be begun any more when the application closes, and leaves nothing of its signal', async () => {
    const process = world.newSubscriptions();
    const signal = new AbortController().signal;
    let listeners = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = ((...args: Parameters<typeof add>) => (listeners++, add(...args))) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof add>) => (listeners--, remove(...args))) as typeof add;
    const loop = collect(process.pull({ name: 'pulled', aggregateTypes: ['account'], signal }));
    await process.stop();
    await loop;
    expect(listeners).toBe(0);
    expect(() => process.pull({ name: 'pulled', aggregateTypes: ['account'] })).toThrow(SubscriptionError);
    expect(() => process.pull({ name: 'pulled', aggregateTypes: ['account'] })).toThrow('closing');
  });

  describe('that stops at an event', () => {
    beforeEach(() => {
      seen.failing = ({ version }) => version === 2;
    });
    const state = async (process: Subscriptions) => (await process.status('seen', 0)).state;

    it('has nothing parked once it has gone on by resume', async () => {
      const process = start({ poison: 'stop-subscription' });
      world.write(streamOf('a'), { events: 3 });
      await until(async () => (await state(process)) === 'stopped');
      seen.failing = () => false;
      await process.resume('seen');
      await until(() => seen.of('a').length === 3);
      await isParked(0);
    });

    it('has nothing parked once it was left out, though it ends at once', async () => {
      const process = start({ poison: 'stop-subscription' });
      world.write(streamOf('a'), { events: 3 });
      await until(async () => (await state(process)) === 'stopped');
      const { bookkeeping } = world;
      const write = bookkeeping.write.bind(bookkeeping);
      bookkeeping.write = async (...args) => {
        const { owner, checkpoint } = args[2] as Lease;
        if (owner && (checkpoint?.handled ?? 0) > 1) throw new EventStoreUnavailableError('It is away.');
        return write(...args);
      };
      await process.discard(await first());
      await until(() => seen.of('a').length === 2);
      await process.stop();
      expect(seen.of('a')).toEqual([1, 3]);
      expect(await parked()).toEqual([]);
    });

    it('runs on where the event is settled while it stops', async () => {
      const { bookkeeping } = world;
      const write = bookkeeping.write.bind(bookkeeping);
      bookkeeping.write = async (...args) => {
        if ((args[2] as { state?: string }).state === 'stopped') {
          seen.failing = () => false;
          for (const entry of await parked()) await new Parking(bookkeeping, 'seen').remove(entry);
        }
        return write(...args);
      };
      const process = start({ poison: 'stop-subscription' });
      world.write(streamOf('a'), { events: 3 });
      await until(() => seen.of('a').length === 3);
      expect(await state(process)).toBe('running');
    });

    it.each(['retry', 'discard'] as const)('stays paused where that was asked for before %s', async (what) => {
      const process = start({ poison: 'stop-subscription' });
      world.write(streamOf('a'), { events: 3 });
      await until(async () => (await state(process)) === 'stopped');
      await process.pause('seen');
      await process[what](await first());
      expect(await state(process)).toBe('paused');
    });
  });

  it('handles nothing again of a tail that it has handled, where its parked event cannot be removed at once', async () => {
    const process = start();
    await parkSecondOf(5);
    const { bookkeeping } = world;
    const remove = bookkeeping.remove.bind(bookkeeping);
    let outages = 0;
    bookkeeping.remove = async (...args) => {
      if (args[0][0] === 'parked' && outages++ < 2) throw new EventStoreUnavailableError('It is away.');
      return remove(...args);
    };
    await process.retry(await first());
    await isParked(0);
    expect(outages).toBe(3);
    expect(seen.of('a')).toEqual([1, 2, 3, 4, 5]);
  });

  it('goes on with a tail where an outage has broken it off', async () => {
    const process = start();
    await parkSecondOf(5);
    const { feed } = world;
    const readStream = feed.readStream.bind(feed);
    let outages = 0;
    feed.readStream = async function* (...args) {
      for await (const event of readStream(...args)) {
        if (event.version === 4 && outages++ < 2) throw new EventStoreUnavailableError('It is away.');
        yield event;
      }
    };
    await process.retry(await first());
    await isParked(0);
    expect(outages).toBeGreaterThan(2);
    expect(seen.of('a')).toEqual([1, 2, 3, 4, 5]);
  });

  it('asks for one version where a retry may have to wait for others, however long the aggregate is', async () => {
    const process = start();
    seen.failing = ({ version }) => version === 40;
    world.write(streamOf('a'), { events: 40 });
    await isParked(1);
    await process.pause('seen');
    const { feed } = world;
    const [readStream, read] = [feed.readStream.bind(feed), feed.read.bind(feed)];
    let versions = 0;
    feed.readStream = async function* (...args) {
      for await (const event of readStream(...args)) {
        versions++;
        yield event;
      }
    };
    let isAway = true;
    feed.read = async (...args) => {
      if (isAway) throw new EventStoreUnavailableError('It is away.');
      return read(...args);
    };
    await process.reset('seen', new Date(0));
    await process.retry(await first());
    await process.resume('seen');
    await until(() => versions > 0);
    expect(versions).toBe(1);
    isAway = false;
    seen.failing = () => false;
    await isParked(0);
    expect(seen.of('a').at(-1)).toBe(40);
  });

  it('retries parked events after a reset, also of aggregates that went on longer ago than many others', async () => {
    const inOneSlice = (prefix: string, count: number) => {
      const all = Array.from({ length: 8 * count }, (_, index) => streamOf(`${prefix}-${index}`));
      return all.filter((stream) => world.feed.partitionOf(stream) === '0').slice(0, count);
    };
    const clock = Date.now() - 3_600_000;
    seen.failing = ({ version }) => version === 2;
    for (const stream of inOneSlice('a', 50)) world.write(stream, { clock, events: 2, lateMs: 0 });
    const before = start({ concurrency: 16 });
    await isParked(50);
    await before.stop();
    for (const stream of inOneSlice('b', 11_000)) world.write(stream, { clock: clock + 10_000, lateMs: 0 });
    seen.failing = () => false;
    const process = newProcess({ concurrency: 16 });
    for (const { parked: each } of await parked()) await process.retry(each);
    await process.reset('seen', new Date(clock - 1000));
    process.start();
    await until(() => seen.all.length >= 11_000);
    await isParked(0);
  }, 60_000);

  it('waits where it is reset to a time far ahead', async () => {
    const process = start();
    await process.reset('seen', new Date(Date.now() + 40 * 86_400_000));
    const looks = jest.spyOn(FeedReader.prototype, 'read');
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Some for each of four slices.
    expect(looks.mock.calls.length).toBeLessThan(40);
    looks.mockRestore();
  });

  it('leaves out what a stream tells of before the later time that it was reset to', async () => {
    const process = newProcess();
    process.follow(world.stream, { readEveryMs: 2, lookEveryMs: 10 });
    process.start();
    world.write(streamOf('before'));
    await until(() => seen.of('before').length === 1);
    const later = Date.now() + 3_600_000;
    await process.reset('seen', new Date(later));
    world.write(streamOf('a'), { events: 2 });
    world.write(streamOf('b'), { clock: later + 1000 });
    await until(() => seen.of('b').length === 1);
    expect(seen.of('a')).toEqual([]);
  });

  it('says so where the bookkeeping refuses everything', async () => {
    world = newWorld({ leaseMs: 30 });
    world.bookkeeping.write = async () => {
      throw new EventStoreUnavailableError('A request was refused with AccessDeniedException.');
    };
    start();
    await until(() => world.reports.length > 0);
    expect(world.reports[0]).toContain('refused with AccessDeniedException');
  });

  it('keeps nothing of events that a loop did not take before it was paused', async () => {
    const process = world.newSubscriptions();
    open.push(process);
    const pulled = process.pull({ name: 'loop', aggregateTypes: ['account'] });
    world.write(streamOf('a'), { clock: Date.now() - 1000, events: 200, lateMs: 0 });
    const loop = pulled[Symbol.asyncIterator]();
    await loop.next();
    const queued = () => (pulled as unknown as { queue: unknown[] }).queue.length;
    await until(() => queued() === 199);
    await process.pause('loop');
    expect(queued()).toBe(0);
    await process.stop();
    await loop.return!();
  });

  it('lists what is pending of an aggregate in order, after a reset to before its parked event', async () => {
    const process = start();
    seen.failing = ({ version }) => version === 3;
    for (let version = 1; version <= 4; version++) world.write(streamOf('a'));
    await isParked(1);
    await until(() => seen.of('a').length === 2);
    await process.pause('seen');
    await process.reset('seen', new Date(0));
    expect((await collect(process.pending('seen'))).map(({ version }) => version)).toEqual([1, 2, 3, 4]);
  });

  it('lists a skipped event as pending once, though the feed brings it as well', async () => {
    const process = start({ poison: 'skip' });
    seen.failing = ({ version }) => version === 2;
    world.write(streamOf('a'), { events: 3 });
    await isParked(1);
    await until(() => seen.of('a').length === 2);
    await process.pause('seen');
    await process.reset('seen', new Date(0));
    expect((await collect(process.pending('seen'))).map(({ version }) => version)).toEqual([1, 3, 2]);
  });

  it('lists the versions before one that is pending where the index does not show them, a page before it', async () => {
    const process = newProcess();
    const clock = Date.now() + 60_000;
    const beside = ['b', 'c', 'd', 'e', 'f', 'g', 'h'].find((id) => {
      return world.feed.partitionOf(streamOf(id)) === world.feed.partitionOf(streamOf('a'));
    })!;
    world.write(streamOf('a'), { clock, lateMs: Infinity });
    for (let event = 0; event < 700; event++) world.write(streamOf(beside), { clock, lateMs: 0 });
    world.write(streamOf('a'), { clock: clock + 1000, lateMs: 0 });
    const pending = await collect(process.pending('seen'));
    const versions = (id: string) =>
      pending.flatMap(({ stream, version }) => (stream.aggregateId === id ? version : []));
    expect(versions('a')).toEqual([1, 2]);
    expect(versions(beside)).toEqual(upTo(700));
  });

  it('lists all that a process that died had not handled, in the order of each aggregate', async () => {
    start();
    const writeTo = (id: string) => world.write(streamOf(id), { events: 3, lateMs: 0 });
    for (const id of ['a', 'b']) writeTo(id);
    await until(async () => (await checkpoints()).reduce((sum, { handled = 0 }) => sum + handled, 0) === 6);
    const block = seen.blockAt(5);
    for (const id of ['a', 'b', 'c']) writeTo(id);
    await until(() => block.isReached && seen.of('b').length === 6 && seen.of('c').length === 3);
    world.cutOff();
    block.open();
    await open.pop()!.stop();
    const pending = await collect(newProcess().pending('seen'));
    const versions = (id: string) =>
      pending.flatMap(({ stream, version }) => (stream.aggregateId === id ? version : []));
    expect(versions('a').slice(-2)).toEqual([5, 6]);
    for (const [id, last] of [
      ['a', 6],
      ['b', 6],
      ['c', 3],
    ] as const) {
      const listed = versions(id);
      expect(listed).toEqual(upTo(last).slice(last - listed.length));
    }
  });

  it('handles what a process that died had read and not handled, however old that is', async () => {
    world = newWorld({ leaseMs: 300 });
    const block = seen.blockAt(2);
    world.write(streamOf('a'), { clock: Date.now() - 60_000, events: 3, lateMs: 0 });
    start();
    await until(() => block.isReached);
    world.cutOff();
    block.open();
    await open.pop()!.stop();
    seen.all.length = 0;
    start();
    await until(() => seen.of('a').includes(3));
    expect(seen.of('a')).toEqual([1, 2, 3]);
  });

  it('counts each event that it handled once, where it is paused in the middle', async () => {
    const process = start({ concurrency: 1 });
    const block = seen.blockAt(20);
    world.write(streamOf('a'), { events: 40, lateMs: 0 });
    await until(() => block.isReached);
    const pausing = process.pause('seen');
    await until(async () => (await process.status('seen', 0)).state === 'paused');
    block.open();
    await pausing;
    expect(seen.of('a')).toEqual(upTo(20));
    await process.resume('seen');
    await until(() => seen.of('a').length === 40);
    await process.pause('seen');
    expect((await checkpoints()).map(({ handled }) => handled).filter(Boolean)).toEqual([40]);
  });

  it.each([
    ['that ended by a signal of its own', () => new OperationAbortedError('It took too long.')],
    ['that throws what has no text', () => Object.create(null) as object],
    [
      'that throws what throws when it is looked at',
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      },
    ],
    [
      'that throws an error without a name that can be read',
      () =>
        Object.defineProperty(new Error('It failed.'), 'name', {
          get: () => {
            throw new Error('There is none.');
          },
        }),
    ],
  ])('parks the event of a handler %s', async (_, thrown) => {
    start();
    seen.handle = async () => {
      throw thrown();
    };
    world.write(streamOf('a'));
    await isParked(1);
    expect((await first()).error.message).not.toBe('');
  });
});
