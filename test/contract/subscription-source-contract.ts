import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredEvent } from '../../src/store/stored-event.js';
import type { PoisonPolicy } from '../../src/subscription/projection.js';
import type { Subscriptions, SubscriptionsOptions } from '../../src/subscription/subscriptions.js';
import { Random } from '../campaigns/random.js';
import { until } from '../setup/until.js';
import { otherRecords } from '../sources/event-record.js';
import { SeenEvents } from '../sources/seen-events.js';
import { SUBSCRIPTION_SOURCES, type SubscriptionProcess } from '../sources/subscription-source.js';
import { SubscriptionWorld, type Writing } from '../sources/subscription-world.js';

/** All is a thousand times as fast as by default: margin, backtracking, and clocks that differ by five seconds. */
const [MARGIN_MS, BACKTRACK_MS, LATE_MS, SKEW_MS] = [1, 120, 60, 5];

/** So many that a page of the index is full of them, and has no event. */
const STRANGERS = 400;

const WORLD = {
  untidiness: { usualLagMs: 5, lateOnceIn: 10, lateMs: LATE_MS },
  timing: { marginMs: MARGIN_MS, backtrackMs: BACKTRACK_MS, pollMs: 10, leaseMs: 2000 },
  streamTiming: { readEveryMs: 2, lookEveryMs: 10 },
  mishaps: { unstartedOnceIn: 6, unheardOnceIn: 4, hurriedOnceIn: 20 },
};

export const PLAN = { aggregateTypes: ['account'], from: 0, concurrency: 4 };

export const streamOf = (aggregateId: string) => ({ aggregateType: 'account', aggregateId });
export const newWorld = (timing: Partial<SubscriptionsOptions> = {}) =>
  new SubscriptionWorld({ ...WORLD, timing: { ...WORLD.timing, ...timing }, random: new Random(7) });

/** All versions up to the last one. */
export function upTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** Without those that come again. */
export function firstOf(versions: readonly number[]): readonly number[] {
  return versions.filter((version, index) => version > Math.max(0, ...versions.slice(0, index)));
}

interface Following {
  readonly poison?: PoisonPolicy;
  readonly attempts?: number;
}

/**
 * What every source of events promises to those who follow it. All tests run for each source, also where what they play
 * means nothing to it: then they say no more than that events come.
 *
 * | played                                                      | feed         | streams      | lambda                   |
 * | ----------------------------------------------------------- | ------------ | ------------ | ------------------------ |
 * | the index shows late, and by clocks that differ             | yes          | yes          | no: it never reads it    |
 * | shards split, merge or go; records are reversed, or trimmed | no           | yes          | yes                      |
 * | iterators expire                                            | no           | yes          | no: a mapping hides them |
 * | beside events lies what is none                             | yes: entries | yes: records | yes: records             |
 * | invocations fail, have no time, or their answers are lost   | no           | no           | yes                      |
 */
export function subscriptionSourceContract(name: keyof typeof SUBSCRIPTION_SOURCES): void {
  describe(`events by ${name}`, () => {
    const source = SUBSCRIPTION_SOURCES[name];
    const processes: SubscriptionProcess[] = [];
    let world: SubscriptionWorld;
    let seen: SeenEvents;
    let witness: SeenEvents;
    /** How many versions each aggregate has. */
    let written: Map<string, number>;
    let lastTime: number;
    /** Whether the index shows what is written: a source that can do without has to, unless a test says otherwise. */
    let indexShows: boolean;

    beforeEach(() => {
      [world, seen, witness, written] = [newWorld(), new SeenEvents(), new SeenEvents(), new Map()];
      [lastTime, indexShows] = [0, source.waitsForIndex];
    });
    afterEach(async () => {
      await Promise.all(processes.splice(0).map((process) => process.stop()));
    });

    async function start({ poison = 'stop-aggregate', attempts = 1 }: Following = {}): Promise<SubscriptionProcess> {
      const process = source.start(world, (subscriptions: Subscriptions) => {
        subscriptions.add({ ...PLAN, name: 'seen', attempts, poison }, seen);
        subscriptions.add({ ...PLAN, name: 'witness', attempts, poison }, witness);
      });
      processes.push(process);
      await until(() => process.isReady());
      return process;
    }

    function write(aggregateId: string, writing: Writing = {}): readonly StoredEvent[] {
      const lateness = indexShows ? {} : { lateMs: Infinity };
      const stored = world.write(streamOf(aggregateId), { ...lateness, ...writing });
      written.set(aggregateId, stored.at(-1)!.version);
      lastTime = Math.max(lastTime, stored.at(-1)!.eventTime);
      return stored;
    }

    /** Events for many aggregates, in no order; some of them are handled while others are written. */
    async function writeMany(events: number, writing: () => Writing = () => ({})): Promise<void> {
      const random = new Random(events);
      for (let count = 0; count < events; count++) {
        write(`many-${random.below(40)}`, writing());
        if (count % 20 === 19) await new Promise(setImmediate);
      }
    }

    const total = () => [...written.values()].reduce((sum, versions) => sum + versions, 0);
    const versionsIn = ({ all }: SeenEvents) => {
      const found = new Map<string, number[]>();
      for (const { stream, version } of all) {
        const { aggregateId: id } = stream;
        found.set(id, [...(found.get(id) ?? []), version]);
      }
      return found;
    };

    /** Waits until all is handled, and until nothing more can come of it. */
    async function expectEachOnce(): Promise<void> {
      const versions = new Map([...written].map(([id, last]) => [id, upTo(last)]));
      await until(() => seen.all.length >= total() && witness.all.length >= total());
      if (name === 'lambda') await until(() => world.mapping.isThrough);
      if (indexShows) await until(() => world.feed.isComplete);
      if (indexShows && name !== 'lambda') {
        const shownAt = Date.now();
        await until(() => world.isSettled(Math.max(lastTime, shownAt - BACKTRACK_MS)));
      }
      for (const handler of [seen, witness]) expect(versionsIn(handler)).toEqual(versions);
    }

    it('come once, and in order for each aggregate', async () => {
      await start();
      await writeMany(600);
      await expectEachOnce();
      expect(world.reports).toEqual([]);
    });

    it('come once, and in order, where the index shows them late as well', async () => {
      indexShows = true;
      await start();
      await writeMany(400);
      await expectEachOnce();
    });

    it('come behind those before them that were not brought', async () => {
      indexShows = true;
      await start();
      const missing = { untold: true, lateMs: Infinity };
      for (const id of ['a', 'b', 'c', 'd']) {
        write(id);
        write(id, { events: 3, ...missing });
        write(id, { lateMs: 0 });
      }
      // Nor is anything known of these before.
      for (const id of ['e', 'f']) {
        write(id, { events: 2, ...missing });
        write(id, { lateMs: 0 });
      }
      await until(() => seen.all.length === 26);
      for (const [id, last] of written) expect(seen.of(id)).toEqual(upTo(last));
    });

    it('come in order by clocks that differ, and at equal times', async () => {
      indexShows = true;
      const skews = [-SKEW_MS, SKEW_MS, 0];
      let count = 0;
      await start();
      await writeMany(300, () => {
        // As of clocks that move every four milliseconds.
        const coarse = Math.floor(Date.now() / 4) * 4;
        return { clock: coarse + skews[count++ % skews.length]! };
      });
      await expectEachOnce();
    });

    it('come in order, whichever way the records of a transaction lie', async () => {
      await start();
      await writeMany(100, () => ({ events: 4, reversed: true }));
      await expectEachOnce();
    });

    it('come where shards split and merge', async () => {
      await start();
      for (let round = 0; round < 4; round++) {
        await writeMany(40);
        // The new shards have records when they are met.
        world.stream.isSilent = true;
        if (round % 2 === 0) for (const shard of world.stream.open) world.stream.split(shard);
        else world.stream.merge(world.stream.open.slice(0, 2));
        await writeMany(40);
        world.stream.isSilent = false;
      }
      await expectEachOnce();
    });

    it('come where iterators have expired', async () => {
      await start();
      await writeMany(60);
      await until(() => seen.all.length === total());
      world.stream.expireIterators();
      await writeMany(60);
      await expectEachOnce();
    });

    it('come from the table where their records were trimmed', async () => {
      indexShows = true;
      await start();
      await writeMany(60);
      await until(() => seen.all.length === total());
      world.stream.isSilent = true;
      await writeMany(60);
      world.stream.trim();
      world.stream.isSilent = false;
      for (const id of written.keys()) write(id);
      await expectEachOnce();
      expect(world.reports.some((report) => report.includes('trimmed'))).toBe(name === 'streams');
    });

    it('come from the table where their shards are gone', async () => {
      indexShows = true;
      await start();
      await writeMany(60);
      world.stream.isSilent = true;
      await writeMany(60);
      world.stream.loseShards();
      world.stream.isSilent = false;
      for (const id of written.keys()) write(id);
      await expectEachOnce();
    });

    it('come alone: snapshots, changes, deletions, items of others and entries that cannot be read are none', async () => {
      await start();
      for (let count = 0; count < 10; count++) {
        const [event] = write(`a-${count % 3}`);
        world.stream.shardOf(event!.stream).tell(...otherRecords(event!).map((record) => () => record));
        // Otherwise the entry that cannot be read would bring what the source is to bring.
        if (indexShows) world.feed.showOthers(event!, STRANGERS);
        // So soon that it is read again, by a later pass.
        await until(() => seen.all.length > count);
      }
      await expectEachOnce();
      expect(world.reports).toEqual([]);
    });

    it('come once where the process ends in their middle, and another begins', async () => {
      indexShows = true;
      for (let round = 0; round < 3; round++) {
        const process = await start();
        await writeMany(80);
        await until(() => seen.all.length > 0);
        await process.stop();
        await writeMany(20);
      }
      await start();
      await writeMany(20);
      await expectEachOnce();
    });

    it('come again, in order, where a process is cut off in their middle', async () => {
      indexShows = true;
      world = newWorld({ leaseMs: 300 });
      await start();
      await writeMany(100);
      await until(() => seen.all.length > 50);
      world.cutOff();
      await writeMany(20);
      await Promise.all(processes.splice(0).map((process) => process.stop()));
      await start();
      await writeMany(20);
      await until(() => [...written].every(([id, last]) => seen.of(id).at(-1) === last));
      for (const [id, versions] of versionsIn(seen)) expect(firstOf(versions)).toEqual(upTo(written.get(id)!));
    });

    it('come again where their handler fails, and only there', async () => {
      const failed = new Set<string>();
      seen.failing = ({ eventId, version }) => version === 2 && !failed.has(eventId) && !!failed.add(eventId);
      const { subscriptions } = await start({ attempts: 3 });
      for (const id of ['a', 'b', 'c']) for (let count = 0; count < 3; count++) write(id);
      await expectEachOnce();
      expect(failed.size).toBe(3);
      expect(await subscriptions.parked('seen')).toEqual([]);
    });

    describe('whose handler keeps failing', () => {
      /** Lets a second version fail from now on, of some aggregates. */
      const failAt = (...ids: readonly string[]) => {
        seen.failing = ({ stream, version }) => version === 2 && ids.includes(stream.aggregateId);
      };
      const parkedOf = async ({ subscriptions }: SubscriptionProcess, id: string) =>
        (await subscriptions.parked('seen')).find(({ stream }) => stream.aggregateId === id)!;
      const parkedCount = async ({ subscriptions }: SubscriptionProcess) => (await subscriptions.parked('seen')).length;
      const writeEach = (...ids: readonly string[]) => {
        for (let count = 0; count < 3; count++) for (const id of ids) write(id);
      };

      it('hold back their aggregate alone, until they are handled or left out', async () => {
        const process = await start();
        failAt('a', 'b');
        writeEach('a', 'b', 'c');
        await until(async () => (await parkedCount(process)) === 2 && seen.of('c').length === 3);
        expect([seen.of('a'), seen.of('b')]).toEqual([[1], [1]]);
        failAt();
        await process.subscriptions.retry(await parkedOf(process, 'a'));
        await process.subscriptions.discard(await parkedOf(process, 'b'));
        for (const id of ['a', 'b', 'c']) write(id);
        await until(() => seen.all.length === 11);
        expect([seen.of('a'), seen.of('b'), seen.of('c')]).toEqual([
          [1, 2, 3, 4],
          [1, 3, 4],
          [1, 2, 3, 4],
        ]);
        await until(async () => (await parkedCount(process)) === 0);
      });

      it('are passed by, and handled late or left out', async () => {
        const process = await start({ poison: 'skip' });
        failAt('a', 'b');
        writeEach('a', 'b');
        await until(async () => (await parkedCount(process)) === 2 && seen.all.length === 4);
        failAt();
        await process.subscriptions.retry(await parkedOf(process, 'a'));
        await process.subscriptions.discard(await parkedOf(process, 'b'));
        write('c');
        await until(() => seen.all.length === 6);
        expect([seen.of('a'), seen.of('b')]).toEqual([
          [1, 3, 2],
          [1, 3],
        ]);
        await until(async () => (await parkedCount(process)) === 0);
      });

      it('stop the subscription, until they are handled or left out', async () => {
        indexShows = true;
        const process = await start({ poison: 'stop-subscription' });
        const { subscriptions } = process;
        const isStopped = async () => (await subscriptions.status('seen', 0)).state === 'stopped';
        failAt('a');
        writeEach('a');
        await until(isStopped);
        expect(seen.of('a')).toEqual([1]);
        failAt();
        await subscriptions.retry(await parkedOf(process, 'a'));
        await until(() => seen.all.length === 3);
        failAt('b');
        writeEach('b');
        await until(isStopped);
        expect(seen.of('b')).toEqual([1]);
        await subscriptions.discard(await parkedOf(process, 'b'));
        await until(() => seen.all.length === 5);
        expect([seen.of('a'), seen.of('b')]).toEqual([
          [1, 2, 3],
          [1, 3],
        ]);
        await until(async () => (await parkedCount(process)) === 0);
      });
    });

    it('wait where the subscription is paused', async () => {
      indexShows = true;
      const { subscriptions } = await start();
      await writeMany(40);
      await until(() => seen.all.length === total());
      await subscriptions.pause('seen');
      const before = seen.all.length;
      // No later event of theirs would bring them.
      const once = Array.from({ length: 10 }, (_, index) => `once-${index}`);
      for (const id of once) write(id);
      await writeMany(400);
      // A function gives back all behind them in the shard as well; others wait for it alone.
      const isBrought = () => once.some((id) => witness.of(id).length > 0);
      await until(() => (name === 'lambda' ? isBrought() : witness.all.length >= total()));
      expect(seen.all.length).toBe(before);
      await subscriptions.resume('seen');
      await expectEachOnce();
    });
  });
}
