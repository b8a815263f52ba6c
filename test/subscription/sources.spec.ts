import { afterEach, describe, expect, it } from '@jest/globals';
import { On } from '../../src/index.js';
import { Projection, type ProjectionContext } from '../../src/subscription/projection.js';
import { ProjectionHandler } from '../../src/subscription/projection-handler.js';
import { ProjectionMethods } from '../../src/subscription/projection-methods.js';
import type { Subscriptions } from '../../src/subscription/subscriptions.js';
import {
  firstOf,
  newWorld,
  PLAN,
  streamOf,
  subscriptionSourceContract,
  upTo,
} from '../contract/subscription-source-contract.js';
import { MoneyDeposited } from '../setup/bank.js';
import { until } from '../setup/until.js';
import { SeenEvents } from '../sources/seen-events.js';
import { SUBSCRIPTION_SOURCES, type SubscriptionProcess } from '../sources/subscription-source.js';

subscriptionSourceContract('feed');
subscriptionSourceContract('streams');
subscriptionSourceContract('lambda');

@Projection('stored')
class Stored {
  @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded, transaction }: ProjectionContext): void {
    transaction.put({ TableName: 'views', Item: { id: recorded.stream.aggregateId, version: recorded.version } });
  }
}

describe('a subscription whose source changes', () => {
  const AGGREGATES = Array.from({ length: 10 }, (_, index) => `a-${index}`);
  const running: SubscriptionProcess[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((process) => process.stop()));
  });

  function play() {
    const world = newWorld();
    const seen = new SeenEvents();
    const subscribe = (subscriptions: Subscriptions) => {
      const methods = new ProjectionMethods(new Stored(), world.registry);
      subscriptions.add({ ...PLAN, name: 'seen', attempts: 1, poison: 'stop-aggregate' }, seen);
      subscriptions.add(
        { ...PLAN, name: 'stored', attempts: 1, poison: 'stop-aggregate' },
        (generation) => new ProjectionHandler(methods, 4, generation, world.bookkeeping),
      );
    };
    const start = async (source: keyof typeof SUBSCRIPTION_SOURCES) => {
      const process = SUBSCRIPTION_SOURCES[source].start(world, subscribe);
      running.push(process);
      await until(() => process.isReady());
      return process;
    };
    const storedOf = (aggregateId: string) =>
      world.bookkeeping.projected
        .flatMap(({ writes }) => writes)
        .map((write) => ('Put' in write ? write.Put.Item : {}) as { id: string; version: number })
        .filter(({ id }) => id === aggregateId)
        .map(({ version }) => version);
    return { world, seen, start, storedOf };
  }

  it.each([
    { how: 'one after the other', side: false },
    { how: 'each beside the next for a while', side: true },
  ])('gets each event, and stores once what it writes: $how', async ({ side }) => {
    const { world, seen, start, storedOf } = play();
    let written = 0;
    const write = async (events: number) => {
      for (const id of AGGREGATES) world.write(streamOf(id), { events, reversed: written % 2 === 0 });
      written += events;
      await new Promise(setImmediate);
    };
    let current = await start('feed');
    for (const source of ['streams', 'lambda', 'feed'] as const) {
      for (let round = 0; round < 5; round++) await write(1 + (round % 3));
      // In the middle of what is written, some of which the index does not show yet.
      await until(() => AGGREGATES.some((id) => seen.of(id).length > written / 2));
      const before = current;
      if (side) current = await start(source);
      await write(2);
      await before.stop();
      await write(2);
      if (!side) current = await start(source);
    }
    await write(3);
    await until(() => AGGREGATES.every((id) => new Set(seen.of(id)).size >= written));
    await until(() => AGGREGATES.every((id) => storedOf(id).length >= written));
    for (const id of AGGREGATES) {
      expect(firstOf(seen.of(id))).toEqual(upTo(written));
      expect(storedOf(id)).toEqual(upTo(written));
    }
  });

  it('goes on by Lambda behind what was handled from the index, of which the stream has nothing more', async () => {
    const { world, seen, start, storedOf } = play();
    const polling = await start('feed');
    for (const id of AGGREGATES) world.write(streamOf(id), { events: 3 });
    await until(() => seen.all.length === 3 * AGGREGATES.length);
    await polling.stop();
    world.stream.trim();
    for (const id of AGGREGATES) world.write(streamOf(id), { events: 2, reversed: true });
    await start('lambda');
    await until(() => AGGREGATES.every((id) => seen.of(id).length >= 5 && storedOf(id).length >= 5));
    for (const id of AGGREGATES) expect([seen.of(id), storedOf(id)]).toEqual([upTo(5), upTo(5)]);
  });
});

describe('a subscription that fails', () => {
  it('is told in the log, and keeps no other from its events', async () => {
    const world = newWorld();
    const seen = new SeenEvents();
    const subscriptions = world.newSubscriptions();
    const options = { ...PLAN, attempts: 1, poison: 'stop-aggregate' } as const;
    subscriptions.add({ ...options, name: 'broken' }, () => {
      throw new TypeError('It cannot be made.');
    });
    subscriptions.add({ ...options, name: 'seen' }, seen);
    subscriptions.start();
    try {
      world.write(streamOf('a'));
      await until(() => seen.of('a').length === 1);
      expect(world.reports).toContain('broken: its slices could not be taken: TypeError');
    } finally {
      await subscriptions.stop();
    }
  });
});
