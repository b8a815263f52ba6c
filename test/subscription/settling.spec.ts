import { afterEach, describe, expect, it } from '@jest/globals';
import { EventStoreUnavailableError, On } from '../../src/index.js';
import type { TableWrite } from '../../src/store/table-write.js';
import { Projection, type ProjectionContext } from '../../src/subscription/projection.js';
import { ProjectionHandler } from '../../src/subscription/projection-handler.js';
import { ProjectionMethods } from '../../src/subscription/projection-methods.js';
import { MAX_WRITES } from '../../src/subscription/projection-transaction.js';
import type { Subscriptions } from '../../src/subscription/subscriptions.js';
import { newWorld, PLAN, streamOf } from '../contract/subscription-source-contract.js';
import { MoneyDeposited } from '../setup/bank.js';
import { until } from '../setup/until.js';

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
