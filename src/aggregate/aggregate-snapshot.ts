import type { Class } from '../event/class-type.js';
import { setOwn, type Codec } from '../event/codec.js';
import { UnserializableEventError } from '../event/event-errors.js';
import { classOf } from '../event/event-type.js';
import { compress, decompress } from '../event/compression.js';
import { recordedEventOf } from '../event/recorded-event.js';
import type { Snapshot, SnapshotState } from '../store/snapshot.js';
import type { AggregateDefinition } from './aggregate-definition.js';
import { lifecycleOf } from './aggregate-lifecycle.js';
import { AggregateRoot, type Snapshotting } from './aggregate-root.js';

/** Tail to fetch along with a snapshot that comes at moments of the policy's own choice. */
const TAIL_OF_POLICY = 100;

/** How many events to fetch along with the snapshot: as many as there may be behind it. */
export function tailOf({ snapshot, snapshotEvery }: AggregateDefinition): number {
  return snapshot === 'inline' ? 0 : (snapshotEvery ?? TAIL_OF_POLICY);
}

/** Whether the policy asks for a snapshot now, after these events were stored. */
export function isSnapshotDue(
  definition: AggregateDefinition,
  aggregate: AggregateRoot,
  stored: readonly object[],
): boolean {
  const { snapshot, snapshotEvery } = definition;
  const { version, snapshotAt } = lifecycleOf(aggregate);
  if (snapshotEvery !== undefined) return version - snapshotAt >= snapshotEvery;
  return typeof snapshot === 'function' && stored.some((event) => snapshot(aggregate, recordedEventOf(event)));
}

/** @throws UnserializableEventError when a field holds what cannot come back identical */
export function stateOf(
  aggregate: AggregateRoot,
  { name, snapshotVersion }: AggregateDefinition,
  codec: Codec,
): SnapshotState {
  const subject = `The snapshot of ${name}`;
  const own = isSnapshotting(aggregate) ? aggregate.toSnapshot() : fieldsOf(aggregate, subject);
  return { snapshotVersion, state: compress(codec.encodeTree({ state: own }, subject)) };
}

/** The aggregate as the snapshot saw it; undefined when the snapshot is damaged, or of a shape that cannot be used. */
export function restore<T extends AggregateRoot>(
  aggregateClass: Class<T>,
  id: string,
  snapshot: Snapshot,
  definition: AggregateDefinition,
  codec: Codec,
): T | undefined {
  const aggregate = new aggregateClass(id);
  try {
    const state = stateInTodaysShape(snapshot, definition, codec);
    if (!state) return undefined;
    if (isSnapshotting(aggregate)) {
      const result = aggregate.fromSnapshot(state) as unknown;
      if (result instanceof Promise) {
        result.catch(() => {});
        return undefined;
      }
    } else {
      if (classOf(state) !== Object) return undefined;
      for (const [key, value] of Object.entries(state)) if (key !== 'id') setOwn(aggregate, key, value);
    }
  } catch {
    return undefined;
  }
  const { version, eventTime } = snapshot;
  Object.assign(lifecycleOf(aggregate), { version, eventTime, snapshotAt: version });
  return aggregate;
}

/** @throws when the state is damaged, or its migration fails */
function stateInTodaysShape(
  snapshot: Snapshot,
  { name, snapshotVersion, migrateSnapshot }: AggregateDefinition,
  codec: Codec,
): object | undefined {
  const isOlder = snapshot.snapshotVersion < snapshotVersion;
  if (snapshot.snapshotVersion !== snapshotVersion && !(isOlder && migrateSnapshot)) return undefined;
  const stored = codec.decode(decompress(snapshot.state)).state as object;
  if (!isOlder || !migrateSnapshot) return stored;
  const migrated = migrateSnapshot(stored, snapshot.snapshotVersion) as unknown;
  if (migrated instanceof Promise) migrated.catch(() => {});
  if (typeof migrated !== 'object' || migrated === null) return undefined;
  // A round trip, so that it is what a snapshot can hold, and shares nothing with other aggregates, such as a default.
  return codec.decode(codec.encodeTree({ state: migrated }, `The migrated snapshot of ${name}`)).state as object;
}

/** Symbols under which the base class keeps things of its own. */
const BASE_SYMBOLS = new Set(Object.getOwnPropertySymbols(new (class Bare extends AggregateRoot {})('bare')));

function fieldsOf(aggregate: AggregateRoot, subject: string): object {
  const symbol = Object.getOwnPropertySymbols(aggregate).find((key) => !BASE_SYMBOLS.has(key));
  if (symbol) throw new UnserializableEventError(subject, '$', 'it has symbol keys, which would be lost');
  const initial = Object.keys(new (classOf(aggregate) as Class<AggregateRoot>)(aggregate.id));
  const deleted = initial.find((key) => !Object.hasOwn(aggregate, key));
  if (deleted)
    throw new UnserializableEventError(subject, `$.${deleted}`, 'the field was deleted, and would come back');
  const { id: _, ...fields } = aggregate;
  return Object.fromEntries(Object.entries(fields));
}

function isSnapshotting(aggregate: object): aggregate is Snapshotting {
  return typeof (aggregate as Partial<Snapshotting>).toSnapshot === 'function';
}
