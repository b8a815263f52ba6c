import { expect, it } from '@jest/globals';
import { CorruptStreamError, On } from '../../src/index.js';
import type { TableWrite } from '../../src/store/table-write.js';
import { Delivery } from '../../src/subscription/delivery.js';
import { streamHash } from '../../src/subscription/gate.js';
import { Parking } from '../../src/subscription/parking.js';
import { Projection, type ProjectionContext } from '../../src/subscription/projection.js';
import { ProjectionHandler } from '../../src/subscription/projection-handler.js';
import { ProjectionMethods } from '../../src/subscription/projection-methods.js';
import { newWorld, streamOf } from '../contract/subscription-source-contract.js';
import { MoneyDeposited } from '../setup/bank.js';

@Projection('view')
class View {
  /** The versions that it cannot handle. */
  failsAt: readonly number[] = [];

  @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded, transaction }: ProjectionContext): void {
    const { version } = recorded;
    if (this.failsAt.includes(version)) throw new Error('The view is broken.');
    transaction.put({ TableName: 'view', Item: { id: 'a', version } });
  }
}

/** Two processes that have one partition: the first has lost it to the second, and does not know it yet. */
function twoOfOnePartition() {
  const world = newWorld();
  const { bookkeeping, feed, registry } = world;
  const stream = streamOf('a');
  const events = world.write(stream, { events: 4 });
  const key = streamHash(stream);
  const parking = new Parking(bookkeeping, 'view');
  const newProcess = () => {
    const view = new View();
    const handler = new ProjectionHandler(
      new ProjectionMethods(view, registry),
      1,
      { name: 'view', generation: 1 },
      bookkeeping,
    );
    const options = { concurrency: 1, attempts: 1, poison: 'skip' as const };
    const { signal } = new AbortController();
    const delivery = new Delivery(handler, feed, parking, feed.partitionOf(stream), options, () => {}, signal);
    const deliver = (version: number, fromVersion = version) =>
      delivery.deliver([{ key, event: events[version - 1]!, fromVersion }]);
    return { view, delivery, deliver };
  };
  const retry = async ({ delivery }: ReturnType<typeof newProcess>) => {
    for (const entry of await parking.list()) {
      await parking.request(entry, 'retry');
      const [requested] = await parking.list();
      await delivery.settle(requested!);
      await parking.remove(requested!);
    }
  };
  const stored = () =>
    bookkeeping.projected.map(({ writes }) => (writes[0] as Extract<TableWrite, { Put: unknown }>).Put.Item.version);
  const parked = async () => (await parking.list()).map((entry) => entry.parked.version);
  return { feed, first: newProcess(), second: newProcess(), retry, stored, parked };
}

it('parks an event that another process then handles: it is stored when it is retried, and only then', async () => {
  const { first, second, retry, stored, parked } = twoOfOnePartition();
  first.view.failsAt = [2];
  await first.deliver(1);
  await first.deliver(2);
  for (const version of [1, 2, 3]) await second.deliver(version);
  expect(stored()).toEqual([1, 3]);
  await retry(second);
  expect(stored()).toEqual([1, 3, 2]);
  expect(await parked()).toEqual([]);
});

it.each([2, 3])('parks an event that another has handled up to version %s: it is not stored again', async (last) => {
  const { first, second, retry, stored, parked } = twoOfOnePartition();
  first.view.failsAt = [2];
  await first.deliver(1);
  for (const version of [1, 2, 3].slice(0, last)) await second.deliver(version);
  await first.deliver(2);
  first.view.failsAt = [];
  await retry(first);
  expect(stored()).toEqual([1, 2, 3].slice(0, last));
  expect(await parked()).toEqual([]);
});

it('parks an event that another has parked: it is stored when it is retried', async () => {
  const { first, second, retry, stored, parked } = twoOfOnePartition();
  first.view.failsAt = second.view.failsAt = [2];
  for (const process of [first, second]) {
    for (const version of [1, 2, 3]) await process.deliver(version);
  }
  expect(await parked()).toEqual([2]);
  second.view.failsAt = [];
  await retry(second);
  await retry(first);
  expect(stored()).toEqual([1, 3, 2]);
});

it('parks anew an event that fails when it is retried', async () => {
  const { first, retry, stored, parked } = twoOfOnePartition();
  first.view.failsAt = [2];
  for (const version of [1, 2, 3]) await first.deliver(version);
  await retry(first);
  expect(await parked()).toEqual([2]);
  first.view.failsAt = [];
  await retry(first);
  expect(stored()).toEqual([1, 3, 2]);
  expect(await parked()).toEqual([]);
});

it('stores of versions that it could not read, once it can, those that no other has stored', async () => {
  const { feed, first, second, retry, stored } = twoOfOnePartition();
  await first.deliver(1);
  for (const version of [1, 2]) await second.deliver(version);
  const readStream = feed.readStream;
  feed.readStream = () => {
    throw new CorruptStreamError('A hole.');
  };
  await first.deliver(4, 2);
  feed.readStream = readStream;
  for (const version of [3, 4]) await second.deliver(version);
  expect(stored()).toEqual([1, 2]);
  await retry(second);
  expect(stored()).toEqual([1, 2, 3, 4]);
});
