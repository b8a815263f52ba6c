import { afterEach, describe, expect, it } from '@jest/globals';
import { CorruptStreamError, EventStoreUnavailableError, On } from '../../src/index.js';
import type { TableWrite } from '../../src/store/table-write.js';
import { Parking, type ParkedEntry } from '../../src/subscription/parking.js';
import { Projection, type ProjectionContext } from '../../src/subscription/projection.js';
import { ProjectionHandler } from '../../src/subscription/projection-handler.js';
import { ProjectionMethods } from '../../src/subscription/projection-methods.js';
import { MAX_WRITES } from '../../src/subscription/projection-transaction.js';
import type { SubscriptionPlan } from '../../src/subscription/subscription-run.js';
import type { Subscriptions } from '../../src/subscription/subscriptions.js';
import { newWorld, PLAN, streamOf } from '../contract/subscription-source-contract.js';
import { MoneyDeposited } from '../setup/bank.js';
import { until } from '../setup/until.js';
import { SeenEvents } from '../sources/seen-events.js';
import { SUBSCRIPTION_SOURCES, type SubscriptionProcess } from '../sources/subscription-source.js';
import type { SubscriptionWorld } from '../sources/subscription-world.js';

const open: Subscriptions[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((subscriptions) => subscriptions.stop()));
});

/** As many writes as an event may have. */
@Projection('stored')
class Stored {
  failing = true;

  @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded, transaction }: ProjectionContext): void {
    const { version, stream } = recorded;
    if (this.failing && version === 2) throw new Error('The view is broken.');
    for (let part = 1; part < MAX_WRITES; part++) {
      transaction.put({ TableName: 'views', Item: { id: stream.aggregateId, part, version } });
    }
  }
}

describe('a skipped event that is retried', () => {
  it.each([
    { where: 'the last of its aggregate', events: 2 },
    { where: 'followed by others', events: 3 },
  ])('has its writes stored once, also where settling it is repeated: $where', async ({ events }) => {
    const world = newWorld();
    const { bookkeeping, registry } = world;
    const stored = new Stored();
    const methods = new ProjectionMethods(stored, registry);
    const subscriptions = world.newSubscriptions();
    open.push(subscriptions);
    subscriptions.add(
      { ...PLAN, name: 'stored', attempts: 1, poison: 'skip' },
      (generation) => new ProjectionHandler(methods, 1, generation, bookkeeping),
    );
    const versions = () =>
      bookkeeping.projected
        .map(({ writes }) => writes[0] as Extract<TableWrite, { Put: unknown }> | undefined)
        .flatMap((write) => (write ? [write.Put.Item.version] : []));
    subscriptions.start();
    world.write(streamOf('a'), { events });
    await until(() => versions().length === events - 1);
    await until(async () => (await subscriptions.parked('stored')).length === 1);
    stored.failing = false;
    const remove = bookkeeping.remove.bind(bookkeeping);
    let outages = 0;
    bookkeeping.remove = async (subject, ...entry) => {
      if (subject[0] === 'parked' && outages++ === 0) throw new EventStoreUnavailableError('It is away.');
      return remove(subject, ...entry);
    };
    await subscriptions.retry((await subscriptions.parked('stored'))[0]!);
    await until(async () => (await subscriptions.parked('stored')).length === 0);
    expect(outages).toBe(2);
    expect(versions().toSorted()).toEqual(Array.from({ length: events }, (_, index) => index + 1));
  });
});

/** Another aggregate of the same slice. */
function neighbourOf(aggregateId: string, { feed }: SubscriptionWorld): string {
  const others = Array.from({ length: 50 }, (_, index) => `b-${index}`);
  return others.find((id) => feed.partitionOf(streamOf(id)) === feed.partitionOf(streamOf(aggregateId)))!;
}

describe('a parked event', () => {
  /** A process that follows a world, and the events that it has parked. */
  function follow(world: SubscriptionWorld, seen: SeenEvents, plan: Partial<SubscriptionPlan> = {}) {
    const subscriptions = world.newSubscriptions();
    open.push(subscriptions);
    subscriptions.add({ ...PLAN, name: 'seen', attempts: 1, poison: 'stop-aggregate', ...plan }, seen);
    subscriptions.start();
    const parked = () => subscriptions.parked('seen');
    return { subscriptions, parked, isParked: () => until(async () => (await parked()).length === 1) };
  }

  it('holds up none before it that a reset brings again', async () => {
    const [world, seen] = [newWorld(), new SeenEvents()];
    const { subscriptions, parked, isParked } = follow(world, seen);
    seen.failing = ({ version }) => version === 3;
    for (let version = 1; version <= 4; version++) world.write(streamOf('a'));
    await isParked();
    await until(() => seen.of('a').length === 2);
    await subscriptions.reset('seen', new Date(0));
    await until(() => seen.of('a').length === 4);
    expect(seen.of('a')).toEqual([1, 2, 1, 2]);
    expect(await parked()).toHaveLength(1);
    seen.failing = () => false;
    await subscriptions.retry((await parked())[0]!);
    await until(() => seen.of('a').length === 6);
    expect(seen.of('a')).toEqual([1, 2, 1, 2, 3, 4]);
  });

  it('comes with one before it that fails after a reset', async () => {
    const [world, seen] = [newWorld(), new SeenEvents()];
    const { subscriptions, parked, isParked } = follow(world, seen);
    seen.failing = ({ version }) => version === 5;
    for (let version = 1; version <= 6; version++) world.write(streamOf('a'));
    await isParked();
    await until(() => seen.of('a').length === 4);
    seen.failing = ({ version }) => version === 3 || version === 5;
    await subscriptions.reset('seen', new Date(0));
    await until(async () => (await parked()).map(({ version }) => version).join() === '3');
    seen.failing = () => false;
    await subscriptions.retry((await parked())[0]!);
    await until(async () => (await parked()).length === 0);
    expect(seen.of('a')).toEqual([1, 2, 3, 4, 1, 2, 3, 4, 5, 6]);
  });

  it.each(['is asked for', 'has failed again meanwhile'])(
    'waits for those a reset brings again: its retry %s',
    async (then) => {
      const [world, seen] = [newWorld(), new SeenEvents()];
      const { subscriptions, parked, isParked } = follow(world, seen);
      seen.failing = ({ version }) => version === 5;
      for (let version = 1; version <= 6; version++) world.write(streamOf('a'));
      await isParked();
      await until(() => seen.of('a').length === 4);
      const { feed } = world;
      const read = feed.read.bind(feed);
      let isAway = true;
      feed.read = async (...args) => {
        if (isAway) throw new EventStoreUnavailableError('It is away.');
        return read(...args);
      };
      seen.failing = () => false;
      await subscriptions.reset('seen', new Date(0));
      await subscriptions.retry((await parked())[0]!);
      if (then === 'has failed again meanwhile') {
        const [{ partition }] = (await new Parking(world.bookkeeping, 'seen').list()) as [ParkedEntry];
        const reason = {
          partition,
          poison: 'stop-aggregate' as const,
          attempts: 1,
          fromVersion: 5,
          error: new Error(),
        };
        await new Parking(world.bookkeeping, 'seen').park((await parked())[0]!, reason);
      }
      isAway = false;
      await until(() => seen.of('a').length >= 8);
      if (then === 'has failed again meanwhile') {
        // It may have failed for good reason, and is neither handled nor left out until somebody says so.
        world.write(streamOf('a'));
        for (const version of [1, 2]) {
          world.write(streamOf(neighbourOf('a', world)));
          await until(() => seen.of(neighbourOf('a', world)).length === version);
        }
        expect((await parked()).map(({ requested }) => requested)).toEqual([undefined]);
        await subscriptions.retry((await parked())[0]!);
      }
      await until(async () => (await parked()).length === 0);
      const behind = then === 'is asked for' ? [5, 6] : [5, 6, 7];
      expect(seen.of('a')).toEqual([1, 2, 3, 4, 1, 2, 3, 4, ...behind]);
    },
  );

  it('is handled once, with what waits behind it, where it is retried again meanwhile', async () => {
    const [world, seen] = [newWorld(), new SeenEvents()];
    const { subscriptions, parked, isParked } = follow(world, seen);
    seen.failing = ({ version }) => version === 2;
    world.write(streamOf('a'), { events: 6 });
    await isParked();
    seen.failing = () => false;
    const again = seen.blockAt(4);
    await subscriptions.retry((await parked())[0]!);
    await until(() => again.isReached);
    await subscriptions.retry((await parked())[0]!);
    again.open();
    await until(async () => (await parked()).length === 0);
    expect(seen.of('a')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is handled once, with what waits behind it, though the feed has not come so far and a stop comes first', async () => {
    const [world, seen] = [newWorld(), new SeenEvents()];
    const clock = Date.now() - 60_000;
    world.write(streamOf('a'), { events: 2, clock, lateMs: 0 });
    world.write(streamOf('a'), { events: 3, clock: clock + 10_000, lateMs: 0 });
    // The feed comes to the later ones only in the end.
    const { feed } = world;
    const read = feed.read.bind(feed);
    let reaches = clock + 5000;
    feed.read = async (partition, from, to) => {
      const page = await read(partition, from, to);
      const events = page.events.filter(({ event }) => event.eventTime < reaches);
      if (events.length === page.events.length) return page;
      if (events.every(({ position }) => position <= from)) throw new EventStoreUnavailableError('It is away.');
      return { events, more: true };
    };
    seen.failing = ({ version }) => version === 2;
    const { subscriptions, parked, isParked } = follow(world, seen);
    await isParked();
    seen.failing = () => false;
    await subscriptions.retry((await parked())[0]!);
    await until(async () => (await parked()).length === 0);
    expect(seen.of('a')).toEqual([1, 2, 3, 4, 5]);
    await subscriptions.stop();
    reaches = Infinity;
    follow(world, seen);
    world.write(streamOf('a'), { clock: clock + 20_000, lateMs: 0 });
    await until(() => seen.of('a').includes(6));
    expect(seen.of('a')).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('lets the subscription run on that would stop at it, where others were still under way', async () => {
    const [world, seen] = [newWorld(), new SeenEvents()];
    const { subscriptions, parked, isParked } = follow(world, seen, { poison: 'stop-subscription' });
    const clock = Date.now() - 1000;
    seen.failing = ({ stream }) => stream.aggregateId === 'a';
    const neighbour = neighbourOf('a', world);
    const other = seen.blockAt(1, neighbour);
    world.write(streamOf(neighbour), { clock, lateMs: 0 });
    world.write(streamOf('a'), { clock, lateMs: 0 });
    await until(() => other.isReached);
    await isParked();
    seen.failing = () => false;
    await subscriptions.retry((await parked())[0]!);
    other.open();
    await until(() => seen.of('a').length === 1);
    expect((await subscriptions.status('seen', 0)).state).toBe('running');
  });
});

/** Lets a version of an aggregate be missing from the table, until what this gives is called. */
function lose(world: SubscriptionWorld, aggregateId: string, version: number): () => void {
  const { feed } = world;
  const readStream = feed.readStream.bind(feed);
  feed.readStream = async function* (stream, range) {
    for await (const event of readStream(stream, range)) {
      if (stream.aggregateId === aggregateId && event.version === version) throw new CorruptStreamError('A hole.');
      yield event;
    }
  };
  return () => {
    feed.readStream = readStream;
  };
}

describe.each(['feed', 'lambda'] as const)('an aggregate of which a version cannot be read, by %s', (source) => {
  const HIDDEN = { untold: true, lateMs: Infinity };
  const SHOWN = { lateMs: 0 };
  const running: SubscriptionProcess[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((process) => process.stop()));
  });

  /** @param write what is to come at once */
  async function play(batch = 1, write: (world: SubscriptionWorld, seen: SeenEvents) => void = () => {}) {
    const world = newWorld();
    const seen = Object.assign(new SeenEvents(), { batch });
    if (source === 'feed') write(world, seen);
    const process = SUBSCRIPTION_SOURCES[source].start(world, (subscriptions) => {
      subscriptions.add({ ...PLAN, name: 'seen', attempts: 1, poison: 'stop-aggregate' }, seen);
    });
    running.push(process);
    await until(() => process.isReady());
    // It begins with what is told from now on.
    if (source === 'lambda') write(world, seen);
    const { subscriptions } = process;
    const parked = async () => (await subscriptions.parked('seen'))[0];
    const isParked = (version: number, fromVersion: number) =>
      until(async () => {
        const found = await parked();
        return found?.version === version && found.fromVersion === fromVersion && !found.requested;
      });
    /** As long as others wait, the source goes on with nothing. */
    const expectOthersComing = async () => {
      const others = Array.from({ length: 8 }, (_, index) => `other-${index}`);
      const handled = () => others.map((id) => seen.of(id).length);
      const wanted = handled().map((count) => count + 1);
      for (const id of others) world.write(streamOf(id), SHOWN);
      await until(() => handled().join() === wanted.join());
      expect(world.reports.filter((report) => !report.includes('parked version'))).toEqual([]);
    };
    return { world, seen, subscriptions, parked, isParked, expectOthersComing };
  }

  it('stays parked where it is retried, and holds up no other', async () => {
    const { world, seen, subscriptions, parked, isParked, expectOthersComing } = await play();
    const mend = lose(world, 'a', 3);
    world.write(streamOf('a'), SHOWN);
    world.write(streamOf('a'), { ...HIDDEN, events: 2 });
    world.write(streamOf('a'), SHOWN);
    await isParked(4, 3);
    await subscriptions.retry((await parked())!);
    await expectOthersComing();
    await isParked(4, 3);
    mend();
    await subscriptions.retry((await parked())!);
    await expectOthersComing();
    await until(async () => !(await parked()));
    expect(seen.of('a')).toEqual([1, 2, 3, 4]);
  });

  it.each([
    { fails: 'none', parkedAt: [5, 4], first: [1, 2, 3] },
    { fails: 'the second', parkedAt: [2, 2], first: [1] },
  ])('has the versions before handled, though they share a batch with it: $fails fails', async (each) => {
    const { fails, parkedAt, first } = each;
    let mend = () => {};
    const { seen, subscriptions, parked, isParked, expectOthersComing } = await play(10, (world, handler) => {
      mend = lose(world, 'a', 4);
      handler.failing = ({ version }) => version === 2 && fails !== 'none';
      // So long ago that a page has them all.
      const clock = Date.now() - 1000;
      world.write(streamOf('a'), { ...SHOWN, clock, events: 3 });
      world.write(streamOf('a'), { ...HIDDEN, clock });
      world.write(streamOf('a'), { ...SHOWN, clock });
    });
    await isParked(parkedAt[0]!, parkedAt[1]!);
    expect(seen.of('a')).toEqual(first);
    expect(await subscriptions.parked('seen')).toHaveLength(1);
    mend();
    seen.failing = () => false;
    await subscriptions.retry((await parked())!);
    await expectOthersComing();
    await until(async () => !(await parked()));
    expect(seen.of('a')).toEqual([1, 2, 3, 4, 5]);
  });

  it('is parked where that version is met behind a parked event, and goes on without it', async () => {
    const { world, seen, subscriptions, parked, isParked, expectOthersComing } = await play();
    seen.failing = ({ stream, version }) => stream.aggregateId === 'a' && version === 2;
    world.write(streamOf('a'), { ...SHOWN, events: 5 });
    await isParked(2, 2);
    seen.failing = () => false;
    lose(world, 'a', 4);
    await subscriptions.retry((await parked())!);
    await expectOthersComing();
    await isParked(4, 4);
    expect(await parked()).toMatchObject({ eventId: '', error: { name: 'CorruptStreamError' } });
    await subscriptions.discard((await parked())!);
    await expectOthersComing();
    await until(async () => !(await parked()));
    expect(seen.of('a')).toEqual([1, 2, 3, 5]);
  });
});
