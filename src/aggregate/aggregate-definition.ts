import 'reflect-metadata';
import type { Class } from '../event/class-type.js';
import { eventTypeOf } from '../event/event-type.js';
import { onMethodsOf } from '../event/on.js';
import { hasPrivateFields } from '../event/private-state.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import { AggregateRegistrationError } from './aggregate-errors.js';

/** Whether to take a snapshot; asked for each event that was just stored, with the aggregate after all of them. */
// oxlint-disable-next-line typescript/no-explicit-any -- each policy names its own aggregate class
export type SnapshotPolicy = (aggregate: any, recorded: RecordedEvent) => boolean;

/**
 * Turns the state of an older snapshot into today's shape, or gives undefined to do without it. Gets the state as plain
 * data, as it was stored.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- an old shape has no class any more that could type it
export type SnapshotMigration = (state: any, fromVersion: number) => object | undefined;

export interface AggregateOptions {
  /** Take a snapshot whenever so many versions have passed since the last one. Default: never. */
  readonly snapshotEvery?: number;
  /** `inline`: the state travels in the item of each commit's last event. Or a policy of your own. */
  readonly snapshot?: 'inline' | SnapshotPolicy;
  /**
   * Version of the state's shape, default 1. Raise it when fields change meaning: older snapshots are then migrated by
   * `migrateSnapshot`, or ignored. Those of a newer version are always ignored.
   */
  readonly snapshotVersion?: number;
  /**
   * Makes use of snapshots of an older `snapshotVersion`: gets their state, and that version, and returns the state in
   * today's shape, as a snapshot of today would hold it; the snapshot is ignored when it returns undefined or a promise,
   * throws, or returns what no snapshot could hold. Default: older snapshots are ignored, and the aggregate is rebuilt
   * from its events. The next snapshot that the policy asks for has today's shape.
   */
  readonly migrateSnapshot?: SnapshotMigration;
  /** Event classes applied by `on<EventClassName>` methods, which cannot be told from the methods alone. */
  readonly events?: readonly Class[];
  /** Event classes that change no state, and so need no applier. */
  readonly ignores?: readonly Class[];
}

export interface AggregateDefinition {
  readonly name: string;
  readonly snapshotEvery: number | undefined;
  readonly snapshot: 'inline' | SnapshotPolicy | undefined;
  readonly snapshotVersion: number;
  readonly migrateSnapshot: SnapshotMigration | undefined;
  readonly events: readonly Class[];
  readonly ignores: readonly Class[];
}

const AGGREGATE = Symbol.for('nestjs-dynamodb-event-store:aggregate');

/**
 * Gives an aggregate class the durable name under which its streams are stored; the class may be renamed freely.
 *
 * @param name durable and unique in the application, such as `account`
 * @throws AggregateRegistrationError when the options contradict each other
 */
export function Aggregate(name: string, options: AggregateOptions = {}): ClassDecorator {
  const { snapshotEvery, snapshot, snapshotVersion = 1, migrateSnapshot, events = [], ignores = [] } = options;
  return (aggregateClass) => {
    const fault = (text: string) => new AggregateRegistrationError(`@Aggregate on ${aggregateClass.name}: ${text}`);
    if (typeof name !== 'string' || name === '' || !name.isWellFormed())
      throw fault('it needs a name of at least one character.');
    if (snapshotEvery !== undefined && !(Number.isSafeInteger(snapshotEvery) && snapshotEvery >= 1)) {
      throw fault('snapshotEvery must be a whole number from 1.');
    }
    if (snapshotEvery !== undefined && snapshot !== undefined) {
      throw fault('give snapshotEvery or snapshot, not both.');
    }
    if (!Number.isSafeInteger(snapshotVersion)) throw fault('snapshotVersion must be a whole number.');
    if (migrateSnapshot !== undefined) {
      if (typeof migrateSnapshot !== 'function') throw fault('migrateSnapshot must be a function.');
      if (snapshotVersion <= 1) {
        throw fault('migrateSnapshot has nothing to migrate: raise snapshotVersion above 1, or remove it.');
      }
    }
    const shape = { snapshotEvery, snapshot, snapshotVersion, migrateSnapshot };
    const definition: AggregateDefinition = { name, ...shape, events, ignores };
    Reflect.defineMetadata(AGGREGATE, definition, aggregateClass);
  };
}

/** What `@Aggregate` said of this very class; a subclass does not inherit it. */
export function aggregateDefinitionOf(aggregateClass: Class): AggregateDefinition | undefined {
  return Reflect.getOwnMetadata(AGGREGATE, aggregateClass) as AggregateDefinition | undefined;
}

const appliers = new WeakMap<Class, ReadonlyMap<Class, string | symbol>>();

/** The `@On` methods of an aggregate class, by event class; a subclass overrides its base. */
export function appliersOf(aggregateClass: Class): ReadonlyMap<Class, string | symbol> {
  let found = appliers.get(aggregateClass);
  if (!found) {
    found = new Map(onMethodsOf(aggregateClass).map(({ eventClass, method }) => [eventClass, method]));
    appliers.set(aggregateClass, found);
  }
  return found;
}

/** All event classes that an aggregate class declares. */
export function eventsOf(aggregateClass: Class): readonly Class[] {
  const { events = [], ignores = [] } = aggregateDefinitionOf(aggregateClass) ?? {};
  return [...new Set([...appliersOf(aggregateClass).keys(), ...events, ...ignores])];
}

/** @throws AggregateRegistrationError naming the class and the fix */
export function assertAggregateClass(aggregateClass: Class): AggregateDefinition {
  const className = aggregateClass.name;
  const definition = aggregateDefinitionOf(aggregateClass);
  if (!definition) {
    throw new AggregateRegistrationError(`${className} is not an aggregate: decorate it with @Aggregate('…').`);
  }
  for (const eventClass of eventsOf(aggregateClass)) {
    if (eventTypeOf(eventClass)) continue;
    if (!eventClass) {
      throw new AggregateRegistrationError(
        `${className} names undefined in place of an event class: look for a circular import.`,
      );
    }
    throw new AggregateRegistrationError(
      `${className} uses the event ${eventClass.name}, which has no durable name: decorate that class with @EventType('…').`,
    );
  }
  const methods = onMethodsOf(aggregateClass);
  for (const [index, { eventClass, method }] of methods.entries()) {
    const twin = methods.slice(0, index).find((other) => other.eventClass === eventClass && other.method !== method);
    if (twin) {
      throw new AggregateRegistrationError(
        `${className} applies ${eventClass.name} in two methods, ${String(twin.method)} and ${String(method)}: keep one.`,
      );
    }
  }
  if (takesSnapshots(definition)) assertSnapshotSeesState(aggregateClass);
  return definition;
}

export function takesSnapshots({ snapshotEvery, snapshot }: AggregateDefinition): boolean {
  return snapshotEvery !== undefined || snapshot !== undefined;
}

/** State in #private fields is invisible from outside, so a snapshot would come back without it. */
function assertSnapshotSeesState(aggregateClass: Class): void {
  const prototype = aggregateClass.prototype as { toSnapshot?: unknown; fromSnapshot?: unknown };
  if (typeof prototype.toSnapshot !== typeof prototype.fromSnapshot) {
    throw new AggregateRegistrationError(`${aggregateClass.name} needs both toSnapshot and fromSnapshot, or neither.`);
  }
  if (typeof prototype.toSnapshot === 'function' || !hasPrivateFields(aggregateClass)) return;
  throw new AggregateRegistrationError(
    `${aggregateClass.name} keeps state in #private fields, which its snapshots cannot see: use TypeScript's private, or add toSnapshot and fromSnapshot.`,
  );
}
