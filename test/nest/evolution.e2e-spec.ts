import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { IsInt, IsString } from 'class-validator';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  ConcurrencyError,
  EventRegistrationError,
  EventStore,
  EventType,
  getAggregateRepositoryToken,
  InvalidEventError,
  On,
  type Class,
  type ReadRange,
} from '../../src/index.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';
import { collect, collectEvents } from '../setup/collect.js';

@EventType('evolution.Added')
class Added {
  constructor(readonly by: number) {}
}

@EventType('evolution.Marked')
class Marked {
  constructor(readonly mark: string) {}
}

/** Once one event for two things; version 1 had its fields under other names, and its type another name. */
@EventType('evolution.AddedAndMarked', {
  version: 3,
  aliases: ['evolution.Both'],
  upcast: {
    1: ({ n, m }) => ({ by: n, mark: m }),
    2: ({ by, mark }) => [new Added(by), new Marked(mark)],
  },
})
class AddedAndMarked {
  constructor(
    readonly by: number,
    readonly mark: string,
  ) {}
}

/** Obsolete: nothing of it is wanted any more. */
@EventType('evolution.Blinked', { version: 2, upcast: { 1: () => [] } })
class Blinked {}

class Unregistered {}

@EventType('evolution.BadlySplit', { version: 2, upcast: { 1: () => [new Added(1), new Unregistered()] } })
class BadlySplit {}

/** How an earlier release stored them: the same names and the versions of that time. */
@EventType('evolution.Both')
class BothBefore {
  constructor(
    readonly n: number,
    readonly m: string,
  ) {}
}

@EventType('evolution.AddedAndMarked', { version: 2 })
class AddedAndMarkedBefore {
  constructor(
    readonly by: number,
    readonly mark: string,
  ) {}
}

@EventType('evolution.Blinked')
class BlinkedBefore {}

@EventType('evolution.BadlySplit')
class BadlySplitBefore {}

const IGNORED = [AddedAndMarked, Blinked, BadlySplit];

abstract class Tally extends AggregateRoot {
  static applied = 0;

  sum = 0;
  marks: string[] = [];

  add(by: number): void {
    this.apply(new Added(by));
  }

  @On(Added) protected onAdded({ by }: Added): void {
    Tally.applied++;
    this.sum += by;
  }

  @On(Marked) protected onMarked({ mark }: Marked): void {
    Tally.applied++;
    this.marks.push(mark);
  }
}

@Aggregate('evolving', { ignores: IGNORED })
class PlainTally extends Tally {}

@Aggregate('evolving-every', { snapshotEvery: 2, ignores: IGNORED })
class TallyEvery extends Tally {}

@Aggregate('evolving-inline', { snapshot: 'inline', ignores: IGNORED })
class TallyInline extends Tally {}

const TALLIES = [PlainTally, TallyEvery, TallyInline];

/** Versions 1 to 6, as an earlier release stored them: 2 and 4 are two events each by now, and 3 and 6 none. */
const STORED = [
  new Added(1),
  new BothBefore(10, 'a'),
  new BlinkedBefore(),
  new AddedAndMarkedBefore(100, 'b'),
  new Added(1000),
  new BlinkedBefore(),
];

const SHOWN: readonly [number, object][] = [
  [1, { by: 1 }],
  [2, { by: 10 }],
  [2, { mark: 'a' }],
  [4, { by: 100 }],
  [4, { mark: 'b' }],
  [5, { by: 1000 }],
];

describe.each<Storage>(['memory', 'dynamodb'])('events that upcasting splits or drops (%s)', (storage) => {
  let application: Application;

  beforeEach(async () => {
    application = await startApplication(storage, { features: TALLIES, options: { snapshots: { wait: true } } });
  });

  afterEach(() => application.close());

  const store = () => application.module.get(EventStore);
  const tallies = <T extends Tally>(aggregate: Class<T>) =>
    application.module.get<AggregateRepository<T>>(getAggregateRepositoryToken(aggregate), { strict: false });

  /** Stores under the names and versions of the class itself, which an earlier release had registered. */
  async function storeAsBefore(aggregateType: string, aggregateId: string, events: readonly object[], from = 0) {
    const registry = Reflect.get(store(), 'registry') as { encode(event: object): object };
    const encode = registry.encode.bind(registry);
    registry.encode = (event) => {
      const before = BEFORE.get(event.constructor as Class);
      return before ? { ...before, eventData: JSON.stringify(event) } : encode(event);
    };
    try {
      for (const [index, event] of events.entries()) {
        await store().append({ aggregateType, aggregateId }, [event], { expectedVersion: from + index });
      }
    } finally {
      registry.encode = encode;
    }
  }

  const BEFORE = new Map<Class, { eventType: string; schemaVersion: number }>([
    [BothBefore, { eventType: 'evolution.Both', schemaVersion: 1 }],
    [AddedAndMarkedBefore, { eventType: 'evolution.AddedAndMarked', schemaVersion: 2 }],
    [BlinkedBefore, { eventType: 'evolution.Blinked', schemaVersion: 1 }],
    [BadlySplitBefore, { eventType: 'evolution.BadlySplit', schemaVersion: 1 }],
  ]);

  it('load, with the version of the last stored event', async () => {
    await storeAsBefore('evolving', 'a', STORED);
    const tally = await tallies(PlainTally).load('a');
    expect(tally).toMatchObject({ version: 6, sum: 1111, marks: ['a', 'b'] });
    expect(await tallies(PlainTally).exists('a')).toBe(true);
  });

  it('leave an aggregate that exists where all of them are dropped', async () => {
    await storeAsBefore('evolving', 'a', [new BlinkedBefore()]);
    expect(await tallies(PlainTally).find('a')).toMatchObject({ version: 1, sum: 0 });
    expect(await tallies(PlainTally).exists('a')).toBe(true);
    expect(await collect(tallies(PlainTally).history('a'))).toEqual([]);
  });

  it('are followed by the next version, also behind a dropped last one', async () => {
    await storeAsBefore('evolving', 'a', STORED);
    const tally = await tallies(PlainTally).load('a');
    tally.add(5);
    tally.add(6);
    await tallies(PlainTally).save(tally);
    expect(tally.version).toBe(8);
    const versions = await collect(store().readVersions({ aggregateType: 'evolving', aggregateId: 'a' }));
    expect(versions.map(({ version, events }) => [version, events.length])).toEqual([
      [1, 1],
      [2, 2],
      [3, 0],
      [4, 2],
      [5, 1],
      [6, 0],
      [7, 1],
      [8, 1],
    ]);
    const stream = { aggregateType: 'evolving', aggregateId: 'a' };
    await expect(store().append(stream, [new Added(1)], { expectedVersion: 6 })).rejects.toThrow(ConcurrencyError);
    expect(await tallies(PlainTally).load('a')).toMatchObject({ version: 8, sum: 1122 });
  });

  it.each<[number, number, number, string[]]>([
    [1, 1, 1, []],
    [2, 2, 11, ['a']],
    [3, 3, 11, ['a']],
    [4, 4, 111, ['a', 'b']],
    [6, 6, 1111, ['a', 'b']],
    [9, 6, 1111, ['a', 'b']],
  ])('are shown as they were at version %i, and at its time', async (at, version, sum, marks) => {
    await storeAsBefore('evolving', 'a', STORED);
    expect(await tallies(PlainTally).loadAt('a', { version: at })).toMatchObject({ version, sum, marks });
    const versions = await collect(store().readVersions({ aggregateType: 'evolving', aggregateId: 'a' }));
    const time = versions[version - 1]!.eventTime;
    expect(await tallies(PlainTally).loadAt('a', { time })).toMatchObject({ version, sum, marks });
  });

  it.each<[ReadRange, readonly [number, object][]]>([
    [{}, SHOWN],
    [{ direction: 'backward' }, SHOWN.toReversed()],
    [{ limit: 2 }, SHOWN.slice(0, 3)],
    [{ fromVersion: 3, limit: 1 }, []],
    [{ limit: 0 }, []],
    [{ direction: 'backward', limit: 1 }, []],
    [{ direction: 'backward', limit: 3 }, SHOWN.slice(3).toReversed()],
    [{ fromVersion: 2, toVersion: 4 }, SHOWN.slice(1, 5)],
  ])('are read, and told by history, in the range %j', async (range, shown) => {
    await storeAsBefore('evolving', 'a', STORED);
    for (const events of [
      store().read({ aggregateType: 'evolving', aggregateId: 'a' }, range),
      tallies(PlainTally).history('a', range),
    ]) {
      expect((await collect(events)).map(({ version, event }) => [version, { ...event }])).toEqual(shown);
    }
  });

  it.each([TallyEvery, TallyInline])('have snapshots by the stored version (%p)', async (aggregate) => {
    const aggregateType = aggregate === TallyEvery ? 'evolving-every' : 'evolving-inline';
    const stream = { aggregateType, aggregateId: 'a' };
    // The state is taken where the last stored event is a dropped one, and then where it is a split one.
    await storeAsBefore(aggregateType, 'a', STORED.slice(0, 3));
    let tally = await tallies(aggregate).load('a');
    tally.add(0);
    await tallies(aggregate).save(tally);
    await storeAsBefore(aggregateType, 'a', STORED.slice(3, 4), 4);
    const { snapshot, events, allEvents } = await store().readSinceSnapshot(stream, 5);
    expect(snapshot).toMatchObject({ version: 4 });
    expect((await collectEvents(events)).map(({ version }) => version)).toEqual([5, 5]);
    expect((await collectEvents(allEvents)).map(({ version }) => version)).toEqual([1, 2, 2, 4, 5, 5]);

    const before = Tally.applied;
    tally = await tallies(aggregate).load('a');
    expect(tally).toMatchObject({ version: 5, sum: 111, marks: ['a', 'b'] });
    expect(Tally.applied - before).toBe(2);
    tally.add(1000);
    await tallies(aggregate).save(tally);
    await storeAsBefore(aggregateType, 'a', STORED.slice(5), 6);
    expect(await tallies(aggregate).load('a')).toMatchObject({ version: 7, sum: 1111 });
  });

  it('are refused when the list holds what is not registered', async () => {
    await storeAsBefore('evolving', 'a', [new BadlySplitBefore()]);
    await expect(tallies(PlainTally).load('a')).rejects.toThrow(EventRegistrationError);
    await expect(tallies(PlainTally).load('a')).rejects.toThrow(/upcast step 1 of "evolution.BadlySplit"/);
  });
});

@EventType('evolution.Priced', { version: 2, upcast: { 1: ({ price }) => ({ price, currency: 'EUR' }) } })
class Priced {
  @IsInt() readonly price: number;
  @IsString() readonly currency: string;

  constructor(price: number, currency: string) {
    this.price = price;
    this.currency = currency;
  }
}

@Aggregate('evolving-priced')
class PricedThing extends AggregateRoot {
  price: unknown;

  @On(Priced) protected onPriced({ price }: Priced): void {
    this.price = price;
  }
}

describe.each<Storage>(['memory', 'dynamodb'])('events that are checked when they are read (%s)', (storage) => {
  const stream = { aggregateType: 'evolving-priced', aggregateId: 'a' };

  async function withStored(
    eventData: string,
    validateOnLoad: boolean | undefined,
    check: (app: Application) => unknown,
  ) {
    const application = await startApplication(storage, {
      features: [PricedThing],
      options: { ...(validateOnLoad !== undefined && { validateOnLoad }) },
    });
    try {
      const store = application.module.get(EventStore);
      const registry = Reflect.get(store, 'registry') as { encode(event: object): object };
      const encode = registry.encode.bind(registry);
      registry.encode = () => ({ eventType: 'evolution.Priced', schemaVersion: 1, eventData });
      await store.append(stream, [new Priced(1, 'EUR')], { expectedVersion: 0 });
      registry.encode = encode;
      await check(application);
    } finally {
      await application.close();
    }
  }

  const load = (application: Application) =>
    application.module
      .get<AggregateRepository<PricedThing>>(getAggregateRepositoryToken(PricedThing), { strict: false })
      .load('a');

  it('pass when they are valid after upcasting', async () => {
    await withStored('{"price":5}', true, async (app) => expect((await load(app)).price).toBe(5));
  });

  it('are an error that names properties, and no value', async () => {
    await withStored('{"price":"4111-secret"}', true, async (app) => {
      const error = await load(app).catch((thrown: unknown) => thrown as InvalidEventError);
      expect(error).toBeInstanceOf(InvalidEventError);
      expect(error).toMatchObject({ violations: ['price (isInt)'] });
      expect((error as Error).message).toContain('evolution.Priced');
      expect((error as Error).message).not.toContain('4111');
    });
  });

  it.each([undefined, false])('are not checked with validateOnLoad %p', async (validateOnLoad) => {
    await withStored('{"price":"text"}', validateOnLoad, async (app) => expect((await load(app)).price).toBe('text'));
  });
});
