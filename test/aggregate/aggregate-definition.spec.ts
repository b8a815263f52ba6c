import { describe, expect, it } from '@jest/globals';
import { assertAggregateClass } from '../../src/aggregate/aggregate-definition.js';
import {
  Aggregate,
  AggregateRegistrationError,
  AggregateRoot,
  EventType,
  type AggregateOptions,
  type Class,
} from '../../src/index.js';

@EventType('definition.Happened')
class Happened {}

function declare(name: unknown, options?: AggregateOptions): Class {
  class Thing extends AggregateRoot {}
  Aggregate(name as string, options)(Thing);
  return Thing;
}

describe('@Aggregate', () => {
  it.each([[''], [5], [undefined], ['\ud800']])('refuses the name %j', (name) => {
    expect(() => declare(name)).toThrow(/^@Aggregate on Thing: it needs a name/);
    expect(() => declare(name)).toThrow(AggregateRegistrationError);
  });

  it.each([0, -1, 1.5, NaN, Infinity])('refuses snapshotEvery: %p', (snapshotEvery) => {
    expect(() => declare('thing', { snapshotEvery })).toThrow(/snapshotEvery must be a whole number from 1/);
  });

  it('refuses two policies for snapshots', () => {
    expect(() => declare('thing', { snapshotEvery: 1, snapshot: 'inline' })).toThrow(/not both/);
    for (const options of [{ snapshotEvery: 1 }, { snapshot: 'inline' as const }, {}]) {
      expect(() => declare('thing', options)).not.toThrow();
    }
  });

  it('refuses a version of snapshots that is none', () => {
    expect(() => declare('thing', { snapshotVersion: 1.5 })).toThrow(/snapshotVersion must be a whole number/);
  });

  it('refuses a migration that cannot be one', () => {
    const migrateSnapshot = () => ({});
    expect(() => declare('thing', { snapshotVersion: 2, migrateSnapshot: {} as never })).toThrow(/must be a function/);
    expect(() => declare('thing', { migrateSnapshot })).toThrow(/nothing to migrate/);
    expect(() => declare('thing', { snapshotVersion: 2, migrateSnapshot })).not.toThrow();
  });

  it.each(['events', 'ignores'] as const)('tells of an undefined in %s, as a circular import leaves it', (where) => {
    const thing = declare('thing', { [where]: [Happened, undefined] });
    expect(() => assertAggregateClass(thing)).toThrow(/^Thing names undefined in place of an event class/);
  });

  it('takes private fields where no snapshot would lose them', () => {
    class Secretive extends AggregateRoot {
      readonly #secret = 1;

      get secret(): number {
        return this.#secret;
      }
    }
    Aggregate('secretive')(Secretive);
    expect(assertAggregateClass(Secretive).name).toBe('secretive');
    Aggregate('secretive', { snapshotEvery: 5 })(Secretive);
    expect(() => assertAggregateClass(Secretive)).toThrow(AggregateRegistrationError);
  });
});
