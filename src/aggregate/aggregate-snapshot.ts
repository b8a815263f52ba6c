import type { Class } from '../event/class-type.js';
import { setOwn, type Codec } from '../event/codec.js';
import { compress, decompress } from '../event/compression.js';
import { recordedEventOf } from '../event/recorded-event.js';
import type { Snapshot, SnapshotState } from '../store/snapshot.js';
import type { AggregateDefinition } from './aggregate-definition.js';
import { lifecycleOf } from './aggregate-lifecycle.js';
import type { AggregateRoot, Snapshotting } from './aggregate-root.js';

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
  const own = isSnapshotting(aggregate) ? aggregate.toSnapshot() : fieldsOf(aggregate);
  return { snapshotVersion, state: compress(codec.encode(own, `The snapshot of ${name}`)) };
}

/** The aggregate as the snapshot saw it; undefined when the snapshot is damaged or of another shape. */
export function restore<T extends AggregateRoot>(
  aggregateClass: Class<T>,
  id: string,
  snapshot: Snapshot,
  { snapshotVersion }: AggregateDefinition,
  codec: Codec,
): T | undefined {
  if (snapshot.snapshotVersion !== snapshotVersion) return undefined;
  const aggregate = new aggregateClass(id);
  try {
    const state = codec.decode(decompress(snapshot.state));
    if (isSnapshotting(aggregate)) aggregate.fromSnapshot(state);
    else for (const key of Object.keys(state)) setOwn(aggregate, key, state[key]);
  } catch {
    return undefined;
  }
  const { version, eventTime } = snapshot;
  Object.assign(lifecycleOf(aggregate), { version, eventTime, snapshotAt: version });
  return aggregate;
}

function fieldsOf(aggregate: AggregateRoot): object {
  const { id: _, ...fields } = aggregate;
  return Object.fromEntries(Object.entries(fields));
}

function isSnapshotting(aggregate: object): aggregate is Snapshotting {
  return typeof (aggregate as Partial<Snapshotting>).toSnapshot === 'function';
}
