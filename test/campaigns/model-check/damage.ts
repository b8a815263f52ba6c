import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { StreamId } from '../../../src/index.js';
import type { Journal, Real } from './world.js';

/** What may become of a snapshot in the table. Each takes the item as it is and that of another stream's snapshot. */

type Item = Readonly<Record<string, unknown>>;

export const DAMAGES = {
  'cut text': (item: Item) => ({ ...item, state: '{"state":' }),
  'text that is no object': (item: Item) => ({ ...item, state: '[1]' }),
  'random bytes': (item: Item) => ({ ...item, state: new Uint8Array([1, 2, 3]) }),
  'half of its bytes': (item: Item) => ({ ...item, state: half(item.state) }),
  'another state that can be read': (item: Item) => ({ ...item, state: altered(item.state) }),
  'the state of another stream': (item: Item, other: Item | undefined) => ({ ...item, ...stateOf(other) }),
  'no checksum': (item: Item) => without('stateChecksum', item),
  'another checksum': (item: Item) => ({ ...item, stateChecksum: Number(item.stateChecksum ?? 0) + 1 }),
  'an altered state without a checksum': (item: Item) => ({
    ...without('stateChecksum', item),
    state: altered(item.state),
  }),
  'a later shape': (item: Item) => ({ ...item, snapshotVersion: Number(item.snapshotVersion ?? 1) + 1 }),
  'an earlier shape': (item: Item) => ({ ...item, snapshotVersion: 0 }),
  'a shape that is text': (item: Item) => ({ ...item, snapshotVersion: '1' }),
  'no state': (item: Item) => without('state', item),
  'a state that is a list': (item: Item) => ({ ...item, state: [{ state: 1 }] }),
  'an earlier version': (item: Item) => (isSnapshot(item) ? { ...item, version: Number(item.version ?? 0) - 1 } : item),
  'a later version': (item: Item) => (isSnapshot(item) ? { ...item, version: Number(item.version ?? 0) + 1 } : item),
  'a version far ahead': (item: Item) =>
    isSnapshot(item) ? { ...item, version: Number(item.version ?? 0) + 1000 } : item,
  'a version that is text': (item: Item) => (isSnapshot(item) ? { ...item, version: '1' } : item),
  'no version': (item: Item) => (isSnapshot(item) ? without('version', item) : item),
  'a time that is none': (item: Item) => (isSnapshot(item) ? { ...item, eventTime: 'yesterday' } : item),
  'a later time': (item: Item) => (isSnapshot(item) ? { ...item, eventTime: '2999-01-01T00:00:00.000Z' } : item),
  'an earlier time': (item: Item) => (isSnapshot(item) ? { ...item, eventTime: '1999-01-01T00:00:00.000Z' } : item),
  'nothing but its key': (item: Item) => (isSnapshot(item) ? { pk: item.pk, sk: item.sk } : item),
} satisfies Record<string, (item: Item, other: Item | undefined) => Item>;

/** Where a stream's snapshot lies: above all versions. */
const SNAPSHOT_SORT_KEY = Number.MAX_SAFE_INTEGER;

/** @returns whether there was something to damage, or garbage was put where nothing was */
export async function damageSnapshot(
  real: Real,
  { stream, entries }: Journal,
  other: Journal,
  damage: keyof typeof DAMAGES,
): Promise<boolean> {
  if (entries.length === 0) return false;
  const item = (await snapshotItem(real, stream, entries.length)) ?? {
    pk: keyOf(stream),
    sk: SNAPSHOT_SORT_KEY,
    version: entries.length,
    eventTime: new Date().toISOString(),
    snapshotVersion: 1,
    state: '{"state":{}}',
  };
  const damaged = DAMAGES[damage](item, await snapshotItem(real, other.stream, other.entries.length));
  await real.documents.send(new PutCommand({ TableName: real.tables.events, Item: damaged }));
  return true;
}

/** The snapshot's own item, or that of the last event where a state travels in it. */
async function snapshotItem(real: Real, stream: StreamId, head: number): Promise<Item | undefined> {
  for (const sk of [SNAPSHOT_SORT_KEY, head]) {
    const Key = { pk: keyOf(stream), sk };
    const { Item } = await real.documents.send(
      new GetCommand({ TableName: real.tables.events, Key, ConsistentRead: true }),
    );
    if (Item?.state !== undefined) return Item;
  }
  return undefined;
}

/** The ids of the model check need no escapes. */
function keyOf({ tenantId = '', aggregateType, aggregateId }: StreamId): string {
  return [tenantId, aggregateType, aggregateId].join('#');
}

function without(name: string, item: Item): Item {
  return Object.fromEntries(Object.entries(item).filter(([each]) => each !== name));
}

function isSnapshot({ sk }: Item): boolean {
  return sk === SNAPSHOT_SORT_KEY;
}

function stateOf(other: Item | undefined): Item {
  return { state: other?.state ?? '{"state":{"state":5}}', stateChecksum: other?.stateChecksum ?? 5 };
}

function half(state: unknown): unknown {
  if (state instanceof Uint8Array) return state.slice(0, state.length / 2);
  return String(state).slice(0, String(state).length / 2);
}

function altered(state: unknown): unknown {
  const change = (text: string) => text.replace(/"trail":(\d+)/, (_, trail) => `"trail":${Number(trail) + 1}`);
  if (!(state instanceof Uint8Array)) return change(String(state));
  try {
    return deflateRawSync(change(inflateRawSync(state).toString('utf8')));
  } catch {
    // It was damaged before.
    return state;
  }
}
