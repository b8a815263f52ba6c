import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBClient, QueryCommandInput, QueryCommandOutput } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  CorruptStreamError,
  DynamoDbEventStore,
  EventRegistry,
  EventStoreUnavailableError,
  EventType,
  NO_STREAM,
  OperationAbortedError,
  provisionTables,
  type QueryBy,
  type StreamId,
} from '../../src/index.js';
import { feedPlace } from '../../src/dynamodb/index-keys.js';
import { FEED_SLICES } from '../../src/dynamodb/table.js';
import { streamKey } from '../../src/event/stream-id.js';
import { collect } from '../setup/collect.js';
import { breakGlassClient, newClient, newTableNames } from '../setup/database.js';

@EventType('query.Ticked')
class Ticked {
  constructor(readonly count: number) {}
}

@EventType('query.Noted')
class Noted {
  constructor(readonly note: unknown) {}
}

@EventType('query.Dropped', { version: 2, upcast: { 1: () => [] } })
class Dropped {}

const SLICES = Array.from({ length: FEED_SLICES }, (_, slice) => slice);

/** Requests are a cost that users pay, and memory is bounded by when they are made: so both are written down here. */
describe('the requests of a query', () => {
  const tables = newTableNames();
  const registry = new EventRegistry().register(Ticked, Noted, Dropped);
  const breakGlass = breakGlassClient();
  let client: DynamoDBClient;
  let store: DynamoDbEventStore;
  /** What was asked, in order; each with its answer, once there is one. */
  const asked: { input: QueryCommandInput; answer?: QueryCommandOutput }[] = [];
  let intercept: (work: () => Promise<unknown>) => Promise<unknown> = (work) => work();

  beforeAll(async () => {
    client = newClient();
    await provisionTables(client, tables);
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName !== 'QueryCommand') return next(args);
          const request: (typeof asked)[number] = { input: args.input as QueryCommandInput };
          asked.push(request);
          const result = (await intercept(() => next(args))) as Awaited<ReturnType<typeof next>>;
          request.answer = result.output as QueryCommandOutput;
          return result;
        },
      { step: 'deserialize', priority: 'high', name: 'asked' },
    );
    store = newStore();
  });

  beforeEach(() => void asked.splice(0));

  afterEach(() => {
    intercept = (work) => work();
  });

  afterAll(() => [client, breakGlass].forEach((each) => each.destroy()));

  const newStore = (deadlineMs = 10_000) => new DynamoDbEventStore({ client, tables, registry, deadlineMs });
  const newType = () => `type-${randomUUID()}`;
  const inputs = () => asked.map(({ input }) => input);
  const partitions = () => inputs().map((input) => input.ExpressionAttributeValues![':partition']!.S!);
  const sliceOf = (stream: StreamId) => feedPlace(streamKey(stream), '').slice;

  /** Streams that together lie in every slice. */
  async function spread(type: Omit<StreamId, 'aggregateId'>, events: readonly object[], streams = 16, userId?: string) {
    const options = { expectedVersion: NO_STREAM, ...(userId && { metadata: { userId } }) };
    const ids: StreamId[] = [];
    for (let index = 0; ids.length < streams; index++) {
      const stream = { ...type, aggregateId: `s-${index}` };
      const inSlice = ids.filter((id) => sliceOf(id) === sliceOf(stream)).length;
      if (inSlice < Math.ceil(streams / FEED_SLICES)) ids.push(stream);
    }
    for (const stream of ids) await store.append(stream, events, options);
    asked.splice(0);
  }

  async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
    for await (const item of items) return item;
    return undefined;
  }

  describe('are, until its first event is there,', () => {
    it('one for each slice of the feed, without the streams of tenants', async () => {
      const aggregateType = newType();
      await spread({ aggregateType }, [new Ticked(1)]);
      await first(store.query({ aggregateType }));
      expect(inputs()).toEqual(
        SLICES.map((slice) => ({
          TableName: tables.events,
          IndexName: 'feed',
          KeyConditionExpression: 'feedSlice = :partition AND feedPosition BETWEEN :low AND :high',
          FilterExpression: 'attribute_not_exists(tenantId)',
          ExpressionAttributeValues: {
            ':partition': { S: `${aggregateType}#${slice}` },
            ':low': { S: '1970-01-01T00:00:00.000Z#' },
            ':high': { S: '9999-12-31T23:59:59.999Z#g' },
          },
          ScanIndexForward: true,
        })),
      );
    });

    it('one for each slice of the tenant', async () => {
      const type = { tenantId: 'a#b', aggregateType: newType() };
      await spread(type, [new Ticked(1)]);
      const [from, to] = [new Date(0), new Date('2100-01-01')];
      await first(store.query(type, { direction: 'backward', limit: 3, from, to }));
      expect(inputs()).toEqual(
        SLICES.map((slice) => ({
          TableName: tables.events,
          IndexName: 'tenant',
          KeyConditionExpression: 'tenantSlice = :partition AND feedPosition BETWEEN :low AND :high',
          ExpressionAttributeValues: {
            ':partition': { S: `a%23b#${type.aggregateType}#${slice}` },
            ':low': { S: '1970-01-01T00:00:00.000Z#' },
            ':high': { S: '2100-01-01T00:00:00.000Z#g' },
          },
          ScanIndexForward: false,
          Limit: 3,
        })),
      );
    });

    it('one for a user', async () => {
      const [aggregateType, userId] = [newType(), randomUUID()];
      await spread({ aggregateType, tenantId: 't' }, [new Ticked(1), new Ticked(2)], 16, userId);
      const [after] = await collect(store.query({ userId, tenantId: 't' }, { limit: 1 }));
      const key = { userKey: { S: `t#${userId}` }, pk: { S: `t#${aggregateType}#${after!.stream.aggregateId}` } };
      const [eventTime, sk] = [{ S: after!.eventTime.toISOString() }, { N: '1' }];
      await first(store.query({ userId, tenantId: 't' }, { limit: 2, after: after! }));
      expect(inputs()).toEqual([
        expect.objectContaining({ IndexName: 'user', Limit: 1 }),
        {
          TableName: tables.events,
          IndexName: 'user',
          KeyConditionExpression: 'userKey = :partition AND eventTime BETWEEN :low AND :high',
          ExpressionAttributeValues: {
            ':partition': { S: `t#${userId}` },
            ':low': eventTime,
            ':high': { S: '9999-12-31T23:59:59.999Z' },
          },
          ScanIndexForward: true,
          ExclusiveStartKey: { ...key, eventTime, sk },
          Limit: 2,
        },
      ]);
    });

    it('under way at the same time', async () => {
      const aggregateType = newType();
      await spread({ aggregateType }, [new Ticked(1)]);
      let all!: () => void;
      const together = new Promise<void>((resolve) => (all = resolve));
      intercept = async (work) => {
        if (asked.length === FEED_SLICES) all();
        await together;
        return work();
      };
      expect(await first(newStore(2000).query({ aggregateType }))).toBeDefined();
      expect(asked).toHaveLength(FEED_SLICES);
    });

    it('none where nothing can be found', async () => {
      const [aggregateType, userId] = [newType(), randomUUID()];
      const after = { stream: { aggregateType, aggregateId: 'a' }, version: 1, eventTime: new Date(1000) };
      const crossed = { from: new Date(2), to: new Date(1) };
      for (const by of [{ aggregateType }, { userId }]) {
        expect(await collect(store.query(by, { limit: 0 }))).toEqual([]);
        expect(await collect(store.query(by, crossed))).toEqual([]);
        expect(await collect(store.query(by, { after, to: new Date(999) }))).toEqual([]);
      }
      expect(await collect(store.query({ aggregateType, eventTypes: [] }))).toEqual([]);
      expect(asked).toEqual([]);
    });
  });

  describe('after that', () => {
    it('go to a slice when its page is used up, and not before', async () => {
      const aggregateType = newType();
      const events = Array.from({ length: 5 }, (_, index) => new Noted({ index, bytes: randomBytes(60_000) }));
      await spread({ aggregateType, tenantId: 't' }, events, 24);
      const given = SLICES.map(() => 0);
      const received = (slice: number) => {
        const pages = asked.filter((_, index) => Number(partitions()[index]!.at(-1)) === slice);
        return pages.reduce((sum, { answer }) => sum + (answer?.Count ?? 0), 0);
      };
      intercept = async (work) => {
        const slice = Number(partitions().at(-1)!.at(-1));
        if (received(slice) !== given[slice]) early.push(slice);
        return work();
      };
      const early: number[] = [];
      let most = 0;
      let last = 0;
      let all = 0;
      for await (const { stream, eventTime } of store.query({ aggregateType, tenantId: 't' })) {
        given[sliceOf(stream)]!++;
        all++;
        expect(eventTime.getTime()).toBeGreaterThanOrEqual(last);
        last = eventTime.getTime();
        const buffered = SLICES.map((slice) => received(slice) - given[slice]!);
        most = Math.max(most, ...buffered);
        // The loop takes its time, in which nothing is fetched ahead.
        const before = asked.length;
        await new Promise((resolve) => setImmediate(resolve));
        expect(asked).toHaveLength(before);
      }
      expect(all).toBe(120);
      expect(early).toEqual([]);
      // 7 MB in pages of 1 MB, of some 17 events each.
      expect(asked.length).toBeGreaterThanOrEqual(2 * FEED_SLICES);
      expect(most).toBeLessThanOrEqual(18);
    });

    it('are none when the limit is reached', async () => {
      const type = { aggregateType: newType(), tenantId: 't' };
      await spread(type, [new Ticked(1), new Ticked(2)]);
      expect(await collect(store.query(type, { limit: 5 }))).toHaveLength(5);
      expect(inputs().map(({ Limit }) => Limit)).toEqual([5, 5, 5, 5]);
    });

    it('ask for more and more where events are dropped or filtered out', async () => {
      const type = { aggregateType: newType(), tenantId: 't' };
      const encode = registry.encode.bind(registry);
      const earlier = jest.spyOn(registry, 'encode').mockImplementation((event) => {
        return { ...encode(event), ...(event instanceof Dropped && { schemaVersion: 1 }) };
      });
      const stream = { ...type, aggregateId: 's-0' };
      for (let version = 0; version < 300; version += 100) {
        const events = Array.from({ length: 100 }, () => new Dropped());
        await store.append(stream, events, { expectedVersion: version });
      }
      earlier.mockRestore();
      await store.append(stream, [new Ticked(1)], { expectedVersion: 300 });
      const limits = () => {
        const own = partitions().map((partition) => partition.endsWith(`#${sliceOf(stream)}`));
        return inputs().flatMap(({ Limit }, index) => (own[index] ? [Limit] : []));
      };
      asked.splice(0);
      expect(await collect(store.query(type, { limit: 1 }))).toHaveLength(1);
      expect(limits()).toEqual([1, 4, 16, 64, 256]);
      asked.splice(0);
      expect(await collect(store.query({ ...type, eventTypes: ['query.Ticked'] }, { limit: 1 }))).toHaveLength(1);
      expect(limits()).toEqual([100, 400]);
    });
  });

  describe('under faults', () => {
    const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });

    it('are repeated where an answer is lost or holds no items', async () => {
      const aggregateType = newType();
      await spread({ aggregateType }, [new Ticked(1)]);
      const faults = [() => Promise.reject(reset), async () => ({ response: {}, output: { $metadata: {} } })];
      intercept = async (work) => faults.pop()?.() ?? work();
      expect(await collect(store.query({ aggregateType }))).toHaveLength(16);
      expect(asked).toHaveLength(FEED_SLICES + 2);
    });

    it('end at the deadline where there is no answer', async () => {
      intercept = () => new Promise(() => {});
      const started = performance.now();
      const reading = collect(newStore(300).query({ aggregateType: newType() }));
      await expect(reading).rejects.toThrow(EventStoreUnavailableError);
      expect(performance.now() - started).toBeLessThan(2000);
    });

    it('have the deadline anew for each page, however long the caller takes in between', async () => {
      const type = { aggregateType: newType(), tenantId: 't' };
      const events = Array.from({ length: 10 }, () => new Noted(randomBytes(150_000)));
      await store.append({ ...type, aggregateId: 'a' }, events, { expectedVersion: NO_STREAM });
      asked.splice(0);
      let all = 0;
      for await (const _ of newStore(1000).query(type)) if (all++ === 0) await sleep(1100);
      expect(all).toBe(10);
      expect(asked.length).toBeGreaterThan(FEED_SLICES);
    });

    it('end with the signal', async () => {
      const controller = new AbortController();
      intercept = () => {
        controller.abort();
        return new Promise(() => {});
      };
      const reading = collect(store.query({ aggregateType: newType() }, { signal: controller.signal }));
      await expect(reading).rejects.toThrow(OperationAbortedError);
    });
  });

  describe('whose answer is not what was stored', () => {
    type Own = { aggregateType: string; slice: number };

    it.each<[string, string | undefined, (own: Own) => object, (own: Own) => QueryBy, string]>([
      [
        'a damaged event',
        'owner',
        () => ({ eventData: '{"note":"secret"}' }),
        ({ aggregateType }) => ({ tenantId: 'owner', aggregateType }),
        'checksum',
      ],
      [
        'another time',
        'owner',
        () => ({ eventTime: '2020-01-01T00:00:00.000Z' }),
        ({ aggregateType }) => ({ tenantId: 'owner', userId: aggregateType }),
        'checksum',
      ],
      [
        'an event of another tenant',
        'owner',
        ({ aggregateType, slice }) => ({ tenantSlice: `thief#${aggregateType}#${slice}` }),
        ({ aggregateType }) => ({ tenantId: 'thief', aggregateType }),
        'index',
      ],
      [
        'an event of another user',
        'owner',
        () => ({ userKey: 'owner#mallory' }),
        () => ({ tenantId: 'owner', userId: 'mallory' }),
        'index',
      ],
      [
        'an event of another type',
        undefined,
        ({ slice }) => ({ feedSlice: `other-type#${slice}` }),
        () => ({ aggregateType: 'other-type' }),
        'index',
      ],
    ])('end with an error: %s', async (_, tenantId, spoilt, by, message) => {
      const aggregateType = newType();
      const stream = { ...(tenantId && { tenantId }), aggregateType, aggregateId: 'a' };
      const metadata = { userId: aggregateType };
      await store.append(stream, [new Noted('a')], { expectedVersion: NO_STREAM, metadata });
      const own = { aggregateType, slice: sliceOf(stream) };
      const document = DynamoDBDocumentClient.from(breakGlass);
      const Key = { pk: streamKey(stream), sk: 1 };
      const { Item } = await document.send(new GetCommand({ TableName: tables.events, Key }));
      await document.send(new PutCommand({ TableName: tables.events, Item: { ...Item, ...spoilt(own) } }));
      const reading = collect(store.query(by(own)));
      await expect(reading).rejects.toThrow(CorruptStreamError);
      await expect(reading).rejects.toThrow(message);
      await expect(reading).rejects.not.toThrow('secret');
    });
  });
});
