import { describe, expect, it } from '@jest/globals';
import { assertAggregateClass } from '../../src/aggregate/aggregate-definition.js';
import { restore, stateOf } from '../../src/aggregate/aggregate-snapshot.js';
import { Aggregate, AggregateRoot, EventRegistry, UnserializableEventError } from '../../src/index.js';
import { compress } from '../../src/event/compression.js';

const { codec } = new EventRegistry();

@Aggregate('plain', { snapshotEvery: 1 })
class Plain extends AggregateRoot {
  total = 0;
  note: string | undefined = 'none';
}

@Aggregate('own', { snapshotEvery: 1 })
class Own extends AggregateRoot {
  total = 0;

  toSnapshot(): object {
    return { total: this.total };
  }

  fromSnapshot({ total }: { total: number }): void {
    this.total = total;
  }
}

@Aggregate('asynchronous', { snapshotEvery: 1 })
class Asynchronous extends Own {
  override async fromSnapshot(): Promise<void> {
    throw new Error('later');
  }
}

let migrated: () => unknown;
@Aggregate('migrated', { snapshotEvery: 1, snapshotVersion: 2, migrateSnapshot: () => migrated() as object })
class Migrated extends Plain {}

const restored = (aggregateClass: typeof Plain | typeof Own, state: unknown, snapshotVersion = 1) =>
  restore<AggregateRoot>(
    aggregateClass,
    'a',
    { version: 3, eventTime: 9, snapshotVersion, state: compress(codec.encodeTree({ state }, 'A state')) },
    assertAggregateClass(aggregateClass),
    codec,
  );
const taken = (aggregate: AggregateRoot) => stateOf(aggregate, assertAggregateClass(Plain), codec);

describe('a state', () => {
  it('is not taken of symbol keys, which would be lost', () => {
    const plain = Object.assign(new Plain('a'), { [Symbol('hidden')]: 1 });
    expect(() => taken(plain)).toThrow(UnserializableEventError);
    expect(() => taken(plain)).toThrow(/symbol keys/);
  });

  it('is not taken of a deleted field, which would come back', () => {
    const plain = new Plain('a');
    delete (plain as Partial<Plain>).note;
    expect(() => taken(plain)).toThrow(/\$\.note.*was deleted/);
  });

  it('is restored but for the id', () => {
    expect(restored(Plain, { total: 5, note: undefined, id: 'b' })).toMatchObject({ id: 'a', version: 3, total: 5 });
    expect(restored(Plain, { total: 5, note: undefined })).toHaveProperty('note', undefined);
    expect(restored(Own, { total: 5 })).toMatchObject({ total: 5, version: 3 });
  });

  it.each([[undefined], [null], [new Map([['total', 5]])], [[5]]])('is not restored from %p', (state) => {
    expect(restored(Plain, state)).toBeUndefined();
  });

  it('is not restored where that would end later', () => {
    expect(restored(Asynchronous, { total: 5 })).toBeUndefined();
  });

  it.each([
    ['nothing', () => undefined],
    ['null', () => null],
    ['a number', () => 5],
    ['a promise', () => Promise.reject(new Error('later'))],
  ])('is not restored where its migration gives %s', (_, give) => {
    migrated = give;
    expect(restored(Migrated, { total: 1 })).toBeUndefined();
  });

  it('is restored from what its migration gives, of which it has its own', () => {
    const given = { total: 7, note: undefined, list: [1] };
    migrated = () => given;
    const aggregate = restored(Migrated, { total: 1 }) as unknown as typeof given;
    expect(aggregate).toMatchObject({ total: 7, list: [1] });
    expect(aggregate.list).not.toBe(given.list);
    // One of today needs none.
    expect(restored(Migrated, { total: 1 }, 2)).toMatchObject({ total: 1 });
  });
});
