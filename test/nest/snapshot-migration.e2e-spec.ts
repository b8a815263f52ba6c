import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Aggregate,
  AggregateRegistrationError,
  AggregateRepository,
  AggregateRoot,
  EventRegistry,
  EventStore,
  EventType,
  getAggregateRepositoryToken,
  On,
  type AggregateOptions,
  type Class,
  type SnapshotMigration,
} from '../../src/index.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';

@EventType('migration.Counted')
class Counted {
  constructor(readonly by: number) {}
}

type Way = 'every' | 'inline' | 'own';

interface Counter extends AggregateRoot {
  readonly total: number;
  count(by: number): void;
}

let applied = 0;

function today(way: Way, migrateSnapshot?: SnapshotMigration, snapshotVersion = 3): Class<Counter> {
  const decorate = Aggregate(`migrated-${way}`, {
    ...policyOf(way),
    snapshotVersion,
    ...(migrateSnapshot && { migrateSnapshot }),
  });
  class Fields extends AggregateRoot {
    total = 0;
    /** In no older state. */
    tags: string[] = [];

    count(by: number): void {
      this.apply(new Counted(by));
    }

    @On(Counted) protected onCounted({ by }: Counted): void {
      applied++;
      this.total += by;
    }
  }
  class Own extends Fields {
    toSnapshot(): object {
      return { id: 'data of its own', total: this.total };
    }

    fromSnapshot(state: { id: string; total: number }): void {
      if (state.id !== 'data of its own') throw new Error('It is not what toSnapshot gave.');
      this.total = state.total;
    }
  }
  const aggregate = way === 'own' ? Own : Fields;
  decorate(aggregate);
  return aggregate;
}

const policyOf = (way: Way): AggregateOptions => (way === 'inline' ? { snapshot: 'inline' } : { snapshotEvery: 2 });

/** From the state of an earlier release, whose total was a bigint of another name. */
const rename: SnapshotMigration = ({ sum }: { sum: bigint }) => ({ id: 'data of its own', total: Number(sum) });

describe.each<Storage>(['memory', 'dynamodb'])('snapshots of another snapshotVersion (%s)', (storage) => {
  const applications: Application[] = [];
  afterEach(async () => {
    for (const application of applications.splice(0)) await application.close();
  });

  /** An aggregate of 1 + 2 with its snapshot at version 2, and an application of today over the same store. */
  async function release(way: Way, snapshotVersion: number, aggregate: Class<Counter>) {
    const application = await startApplication(storage, {
      features: [aggregate],
      options: { snapshots: { wait: true } },
    });
    applications.push(application);
    const store = application.module.get(EventStore);
    const stream = { aggregateType: `migrated-${way}`, aggregateId: 'a' };
    const text = application.module
      .get(EventRegistry, { strict: false })
      .codec.encodeTree({ state: { sum: 3n, at: new Map([['last', new Date(2)]]) } }, 'state');
    const state = { snapshotVersion, state: text };
    const events = [new Counted(1), new Counted(2)];
    await store.commit({
      appends: [{ stream, events, expectedVersion: 0, ...(way === 'inline' && { state }) }],
    });
    if (way !== 'inline') await store.saveSnapshot(stream, { ...state, version: 2, eventTime: 1 });
    const repository = application.module.get<AggregateRepository<Counter>>(getAggregateRepositoryToken(aggregate), {
      strict: false,
    });
    applied = 0;
    return { repository, snapshot: async () => (await store.readSinceSnapshot(stream, 10)).snapshot };
  }

  const WAYS: Way[] = ['every', 'inline', 'own'];

  it.each(WAYS)('are migrated from an older one (%s), and the next one is of today', async (way) => {
    const seen: unknown[] = [];
    const migrate: SnapshotMigration = (state: { sum: bigint }, fromVersion) => {
      seen.push([state, fromVersion]);
      return rename(state, fromVersion);
    };
    const { repository, snapshot } = await release(way, 1, today(way, migrate));
    const counter = await repository.load('a');
    expect(applied).toBe(0);
    expect(counter).toMatchObject({ id: 'a', version: 2, total: 3, tags: [] });
    expect(seen).toEqual([[{ sum: 3n, at: new Map([['last', new Date(2)]]) }, 1]]);

    counter.count(4);
    counter.count(5);
    await repository.save(counter);
    expect(await snapshot()).toMatchObject({ version: 4, snapshotVersion: 3 });
    applied = 0;
    expect(await repository.load('a')).toMatchObject({ version: 4, total: 12 });
    expect([applied, seen.length]).toEqual([0, 1]);
  });

  it('keep the rhythm of the policy: none is written before it is due', async () => {
    const { repository, snapshot } = await release('every', 1, today('every', rename));
    const counter = await repository.load('a');
    counter.count(4);
    await repository.save(counter);
    expect(await snapshot()).toMatchObject({ version: 2, snapshotVersion: 1 });
    expect(await repository.load('a')).toMatchObject({ version: 3, total: 7 });
  });

  const rejected = async () => Promise.reject(new Error('never heard'));
  it.each<[string, SnapshotMigration | undefined]>([
    ['there is no migration', undefined],
    ['it gives undefined', () => undefined],
    [
      'it throws',
      () => {
        throw new Error('never heard');
      },
    ],
    ['it gives a promise', (async (state: object) => state) as SnapshotMigration],
    ['it gives a promise that is rejected', rejected as unknown as SnapshotMigration],
    ['it gives null', () => null as unknown as undefined],
    ['it gives text', () => 'text' as unknown as undefined],
    ['it gives what no snapshot holds', () => ({ id: 'data of its own', total: Number.NaN })],
  ])('are ignored when %s', async (_, migrate) => {
    for (const way of WAYS) {
      const { repository, snapshot } = await release(way, 2, today(way, migrate));
      const counter = await repository.load('a');
      expect(counter).toMatchObject({ id: 'a', version: 2, total: 3 });
      expect(applied).toBe(2);
      counter.count(4);
      await repository.save(counter);
      expect(await snapshot()).toMatchObject({ version: 3, snapshotVersion: 3 });
    }
  });

  it.each<[string, object]>([
    ['a map', new Map()],
    ['a list', []],
  ])('are ignored when it gives %s in place of fields', async (_, state) => {
    const { repository } = await release(
      'every',
      1,
      today('every', () => state),
    );
    expect(await repository.load('a')).toMatchObject({ version: 2, total: 3 });
    expect(applied).toBe(2);
  });

  it.each(WAYS)('are ignored when they are of a newer one (%s)', async (way) => {
    let called = 0;
    const migrate = (state: object) => {
      called++;
      return rename(state, 4);
    };
    const { repository } = await release(way, 4, today(way, migrate));
    expect(await repository.load('a')).toMatchObject({ version: 2, total: 3 });
    expect([applied, called]).toEqual([2, 0]);
  });

  it('share nothing between aggregates, and leave the id alone', async () => {
    const defaults: string[] = [];
    const migrate = () => ({ id: 'mallory', total: 3, tags: defaults });
    const { repository } = await release('every', 1, today('every', migrate));
    const one = (await repository.load('a')) as Counter & { tags: string[] };
    one.tags.push('mine');
    expect(one.id).toBe('a');
    expect(await repository.load('a')).toMatchObject({ tags: [] });
  });
});

describe('@Aggregate', () => {
  it.each<[string, AggregateOptions]>([
    ['is no function', { snapshotVersion: 2, migrateSnapshot: 'text' as unknown as SnapshotMigration }],
    ['has no older version to migrate', { migrateSnapshot: rename }],
    ['has no older version than 1', { snapshotVersion: 1, migrateSnapshot: rename }],
  ])('refuses a migrateSnapshot that %s', (_, options) => {
    expect(() => Aggregate('refused', options)(class Refused {})).toThrow(AggregateRegistrationError);
    expect(() => Aggregate('refused', options)(class Refused {})).toThrow(/migrateSnapshot/);
  });
});
