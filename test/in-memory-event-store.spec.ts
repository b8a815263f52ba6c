import { describe, expect, it } from '@jest/globals';
import {
  ANY_VERSION,
  EventRegistry,
  EventType,
  InMemoryEventStore,
  TableWriteRefusedError,
  type StreamAppend,
  type StreamId,
} from '../src/index.js';
import { bookkeepingContract } from './contract/bookkeeping-contract.js';
import { eventStoreContract, type OpenStore } from './contract/event-store-contract.js';
import { queryContract } from './contract/query-contract.js';
import { collect } from './setup/collect.js';

const open: OpenStore = async (registry, tenants) => ({
  store: new InMemoryEventStore(registry, tenants),
  close: async () => {},
});

eventStoreContract('InMemoryEventStore', open);
bookkeepingContract('InMemoryEventStore', open);
queryContract('InMemoryEventStore', open);

@EventType('in-memory.Ticked')
class Ticked {}

describe('InMemoryEventStore with inline projections', () => {
  const [one, two] = ['one', 'two'].map((aggregateId) => ({ aggregateType: 'clock', aggregateId })) as [
    StreamId,
    StreamId,
  ];
  const tick = (stream: StreamId): StreamAppend => ({
    stream,
    events: [new Ticked()],
    expectedVersion: ANY_VERSION,
  });

  function storeWith(joinCommits: InMemoryEventStore['joinCommits']): InMemoryEventStore {
    const store = new InMemoryEventStore(new EventRegistry().register(Ticked));
    store.joinCommits = joinCommits;
    return store;
  }

  it('asks them again when another commit came to one of the streams in between', async () => {
    const asked: number[][] = [];
    const store = storeWith(async (events) => {
      asked.push(events.map(({ version }) => version));
      if (asked.length === 1) await store.commit({ appends: [tick(two)] });
      return [];
    });
    const { appended } = await store.commit({ appends: [tick(one), tick(two)] });
    expect(appended.map(({ version }) => version)).toEqual([1, 2]);
    expect(asked).toEqual([[1, 1], [1], [1, 2]]);
    expect((await collect(store.read(two))).map(({ version }) => version)).toEqual([1, 2]);
  });

  it('stores nothing when they want to write to a table, and does not ask them about no events', async () => {
    const write = { Put: { TableName: 'views', Item: { id: 'a' } } };
    let asked = 0;
    const store = storeWith(async () => {
      asked++;
      return [{ projection: 'views', write }];
    });
    await store.commit({ appends: [] });
    expect(asked).toBe(0);
    await expect(store.commit({ appends: [tick(one)] })).rejects.toThrow(TableWriteRefusedError);
    expect(await collect(store.read(one))).toEqual([]);
  });
});
