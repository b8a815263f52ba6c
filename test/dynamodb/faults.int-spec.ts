import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { DeleteItemCommand, type DynamoDBClient, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  ANY_VERSION,
  CommitOutcomeUnknownError,
  ConcurrencyError,
  CorruptStreamError,
  DynamoDbEventStore,
  EventRegistry,
  EventStoreUnavailableError,
  EventType,
  On,
  Projection,
  provisionTables,
  type CommitReference,
  type EventStore,
  type ProjectionContext,
  type ReadRange,
  type StreamId,
} from '../../src/index.js';
import { aggregateDefinitionOf } from '../../src/aggregate/aggregate-definition.js';
import { SnapshotWriter } from '../../src/aggregate/snapshot-writer.js';
import { UnitsOfWork } from '../../src/aggregate/units-of-work.js';
import { DynamoDbBookkeeping } from '../../src/dynamodb/dynamodb-bookkeeping.js';
import { DynamoDbEventFeed } from '../../src/dynamodb/dynamodb-event-feed.js';
import { InlineProjections } from '../../src/subscription/inline-projections.js';
import { ProjectionMethods } from '../../src/subscription/projection-methods.js';
import { collect } from '../setup/collect.js';
import { breakGlassClient, newClient, newTableNames, recordRequests } from '../setup/database.js';

@EventType('faults.Ticked')
class Ticked {
  constructor(readonly count: number) {}
}

@Aggregate('faults')
class Clock extends AggregateRoot {
  @On(Ticked) protected onTicked(): void {}
}

/** What is done to one attempt of a request: nothing, or a failure before or after the database has worked. */
type Fault = (work: () => Promise<unknown>) => Promise<unknown>;

function failure(name: string, httpStatusCode: number, more: object = {}): Error {
  return Object.assign(unnamed(httpStatusCode), { name, __type: `com.amazonaws.dynamodb.v20120810#${name}`, ...more });
}

/** What the SDK makes of an answer that DynamoDB did not give. */
function unnamed(httpStatusCode: number): Error {
  const $fault = httpStatusCode < 500 ? 'client' : 'server';
  return Object.assign(new Error('injected'), { name: 'Unknown', $fault, $metadata: { httpStatusCode } });
}

const before =
  (error: Error): Fault =>
  () =>
    Promise.reject(error);
const after =
  (error: Error): Fault =>
  async (work) => {
    await work();
    throw error;
  };
/** Works, and answers nothing whatever the answer was. */
const silenced: Fault = async (work) => {
  await work().catch(() => {});
  throw reset;
};
const answering =
  (output: object): Fault =>
  async (work) => {
    await work();
    return { response: {}, output: { $metadata: { httpStatusCode: 200 }, ...output } };
  };
const hanging: Fault = () => new Promise(() => {});
/** Answers like a proxy that has passed nothing on. */
const emptyBefore: Fault = async () => ({ response: {}, output: { $metadata: { httpStatusCode: 200 } } });

const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
const conflict = failure('TransactionCanceledException', 400, {
  CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }],
});
const throttled = failure('TransactionCanceledException', 400, {
  CancellationReasons: [{ Code: 'ThrottlingError' }, { Code: 'None' }],
});
const throughputExceeded = failure('TransactionCanceledException', 400, {
  CancellationReasons: [{ Code: 'None' }, { Code: 'ProvisionedThroughputExceeded' }],
});

describe('DynamoDbEventStore under faults', () => {
  const tables = newTableNames();
  const registry = new EventRegistry().register(Ticked);
  let client: DynamoDBClient;
  let faults: Fault[] = [];
  let requests: string[];
  let streams = 0;

  beforeAll(async () => {
    client = newClient({ maxAttempts: 1 });
    await provisionTables(client, tables);
    client.middlewareStack.add(
      (next) => (args) => {
        const fault = faults.shift();
        return (fault ? fault(() => next(args)) : next(args)) as ReturnType<typeof next>;
      },
      { step: 'deserialize', priority: 'high', name: 'faults' },
    );
    requests = recordRequests(client);
  });

  afterEach(() => {
    faults = [];
  });

  afterAll(() => client.destroy());

  const newStore = (deadlineMs = 5000) => new DynamoDbEventStore({ client, tables, registry, deadlineMs });
  const newStream = (): StreamId => ({ aggregateType: 'faults', aggregateId: `stream-${++streams}` });
  const clocksOf = (store: EventStore) =>
    new AggregateRepository(Clock, aggregateDefinitionOf(Clock)!, {
      store,
      registry,
      units: new UnitsOfWork(store, registry, new SnapshotWriter(store, false)),
      publish: () => {},
    });
  const ticks = (...counts: number[]) => counts.map((count) => new Ticked(count));
  const counts = async (stream: StreamId) =>
    (await collect(newStore().read(stream))).map(({ event }) => (event as Ticked).count);

  it('waits for all heads of a commit that has lost its race, so that nothing of it goes on', async () => {
    const raced = [newStream(), newStream()];
    for (const stream of raced) await newStore().append(stream, ticks(1), { expectedVersion: 0 });
    const order: string[] = [];
    let answer = () => {};
    const late: Fault = async (work) => {
      await new Promise<void>((resolve) => (answer = resolve));
      const answered = await work();
      order.push('answered');
      return answered;
    };
    faults = [(work) => work(), late];
    const appends = raced.map((stream) => ({ stream, events: ticks(2), expectedVersion: 7 }));
    const refused = expect(newStore().commit({ appends })).rejects.toThrow(ConcurrencyError);
    void refused.then(() => order.push('refused'));
    // Much longer than the first answer takes.
    setTimeout(() => answer(), 100);
    await refused;
    expect(order[0]).toBe('answered');
  });

  it('sends no commit that was only encoded when its time was over', async () => {
    const stream = newStream();
    requests.length = 0;
    const attempt = newStore(0.000_001).append(stream, ticks(1), { expectedVersion: 0 });
    await expect(attempt).rejects.toThrow(EventStoreUnavailableError);
    await expect(attempt).rejects.toThrow(/Encoding/);
    expect(requests).toEqual([]);
  });

  it('stores bytes as they were when they were handed over', async () => {
    const stream = newStream();
    const [result, state] = [Buffer.from('the result'), Buffer.from('the state')];
    const idempotency = { command: 'Tick', key: randomUUID(), fingerprint: 'f', expiresAt: Date.now() + 60_000 };
    faults = [after(reset)];
    const committed = newStore().commit({
      appends: [{ stream, events: ticks(1), expectedVersion: 0, state: { snapshotVersion: 1, state } }],
      idempotency: { ...idempotency, result },
    });
    for (const bytes of [result, state]) bytes.fill('x');
    await committed;
    const record = await newStore().findIdempotencyRecord(idempotency);
    const { snapshot } = await newStore().readSinceSnapshot(stream, 0);
    expect([record?.result, snapshot?.state].map((bytes) => Buffer.from(bytes!).toString())).toEqual([
      'the result',
      'the state',
    ]);
  });

  describe.each<[string, object[]]>([
    ['one event', ticks(1)],
    ['several events', ticks(1, 2)],
  ])('a commit of %s', (_, events) => {
    it.each<[string, Fault[]]>([
      ['its connection is reset before the write', [before(reset)]],
      ['its response is lost after the write', [after(reset)]],
      ['its response is lost twice', [after(reset), after(reset)]],
      ['the server fails before the write', [before(failure('InternalServerError', 500))]],
      ['the server fails after the write', [after(failure('InternalServerError', 500))]],
      [
        'it is throttled',
        [before(failure('ProvisionedThroughputExceededException', 400)), before(failure('ThrottlingException', 400))],
      ],
      ['the answer is empty', [answering({})]],
      ['the answer is empty, and nothing was written', [emptyBefore, emptyBefore]],
      ['a gateway refuses it before the write', [before(unnamed(408)), before(unnamed(403))]],
      ['a gateway refuses it after the write', [after(unnamed(408)), after(unnamed(403))]],
      ['the answer is no JSON', [after(new SyntaxError('Unexpected token < in JSON'))]],
      ['an earlier request is still in progress', [before(failure('TransactionInProgressException', 400))]],
      ['another transaction is in its way', [before(conflict), before(throttled), before(throughputExceeded)]],
      ['an item is in a transaction', [before(failure('TransactionConflictException', 400))]],
      ['nothing answers the first attempt', [hanging]],
    ])('is stored exactly once when %s', async (__, injected) => {
      const stream = newStream();
      faults = [...injected];
      const result = await newStore(2000).append(stream, events, { expectedVersion: 0 });
      expect(result.appended).toEqual([{ stream, version: events.length }]);
      expect(faults).toEqual([]);
      expect(await counts(stream)).toEqual(events.map((event) => (event as Ticked).count));
    });

    it('is a conflict when another came first, also behind a lost response', async () => {
      const stream = newStream();
      await newStore().append(stream, ticks(9), { expectedVersion: 0 });
      faults = [after(reset)];
      await expect(newStore().append(stream, events, { expectedVersion: 0 })).rejects.toThrow(ConcurrencyError);
      expect(await counts(stream)).toEqual([9]);
    });

    it('says that its outcome is unknown when no answer comes', async () => {
      const stream = newStream();
      faults = Array.from({ length: 100 }, () => silenced);
      const attempt = newStore(300).append(stream, events, { expectedVersion: 0 });
      await expect(attempt).rejects.toThrow(CommitOutcomeUnknownError);
      await expect(attempt).rejects.toMatchObject({ commitId: expect.any(String), streams: [stream] });
      faults = [];
      expect(await counts(stream)).toHaveLength(events.length);
    });

    it('says that nothing was written when it never was', async () => {
      const stream = newStream();
      faults = Array.from({ length: 100 }, () => before(failure('ThrottlingException', 400)));
      await expect(newStore(200).append(stream, events, { expectedVersion: 0 })).rejects.toThrow(
        EventStoreUnavailableError,
      );
      faults = [before(failure('AccessDeniedException', 400))];
      await expect(newStore().append(stream, events, { expectedVersion: 0 })).rejects.toThrow(/AccessDeniedException/);
      faults = [];
      expect(await counts(stream)).toEqual([]);
    });

    it('does not take a refusal behind a lost response for a no', async () => {
      const stream = newStream();
      faults = [after(reset), before(failure('ExpiredTokenException', 400))];
      await expect(newStore().append(stream, events, { expectedVersion: 0 })).rejects.toThrow(
        CommitOutcomeUnknownError,
      );
    });

    it('does not take a refusal behind an attempt that the SDK repeated for a no', async () => {
      const retrying = newClient({ maxAttempts: 2 });
      let sent = 0;
      retrying.middlewareStack.add(
        (next) => async (args) => {
          const attempt = ++sent;
          if (attempt === 2) throw failure('ExpiredTokenException', 400);
          const result = await next(args);
          if (attempt === 1) throw failure('InternalServerError', 500, { $retryable: {} });
          return result;
        },
        { step: 'deserialize', priority: 'high', name: 'loseFirst' },
      );
      const store = new DynamoDbEventStore({ client: retrying, tables, registry, deadlineMs: 5000 });
      const stream = newStream();
      await store.append(stream, events, { expectedVersion: 0 });
      expect(sent).toBe(3);
      expect(await counts(stream)).toHaveLength(events.length);
      retrying.destroy();
    });

    it('does not pass on what DynamoDB says of a value', async () => {
      faults = [before(Object.assign(failure('ValidationException', 400), { message: 'Invalid value: secret' }))];
      const attempt = newStore().append(newStream(), events, { expectedVersion: 0 });
      await expect(attempt).rejects.toThrow(/refused with ValidationException(?!.*secret)/);
    });

    it('sees through the retries of the SDK', async () => {
      const retrying = newClient({ maxAttempts: 3 });
      let sent = 0;
      retrying.middlewareStack.add(
        (next) => async (args) => {
          const attempt = ++sent;
          const result = await next(args);
          if (attempt === 1) throw failure('InternalServerError', 500, { $retryable: {} });
          return result;
        },
        { step: 'deserialize', priority: 'high', name: 'loseFirst' },
      );
      const stream = newStream();
      const store = new DynamoDbEventStore({ client: retrying, tables, registry, deadlineMs: 5000 });
      await store.append(stream, events, { expectedVersion: 0 });
      expect(sent).toBe(2);
      expect(await counts(stream)).toHaveLength(events.length);
      retrying.destroy();
    });
  });

  it('sends the same bytes and the same token again', async () => {
    const bodies: string[] = [];
    const spying = newClient({ maxAttempts: 1 });
    spying.middlewareStack.add(
      (next) => async (args) => {
        bodies.push(Buffer.copyBytesFrom((args.request as { body: Uint8Array }).body).toString());
        const result = await next(args);
        if (bodies.length < 3) throw reset;
        return result;
      },
      { step: 'finalizeRequest', priority: 'low', name: 'spy' },
    );
    const store = new DynamoDbEventStore({ client: spying, tables, registry, deadlineMs: 5000 });
    const { commitId } = await store.append(newStream(), ticks(1, 2), { expectedVersion: 0 });
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies).size).toBe(1);
    expect(JSON.parse(bodies[0]!)).toMatchObject({ ClientRequestToken: commitId });
    spying.destroy();
  });

  it('sends the same bytes again where an inline projection goes on with what it wrote', async () => {
    @Projection('ticking', { inline: true })
    class Ticking {
      readonly item = { pk: 'ticking', sk: 'view', seen: [1], bytes: new Uint8Array([1]), names: new Set(['a']) };

      @On(Ticked) ticked(_: Ticked, { transaction }: ProjectionContext): void {
        transaction.put({ TableName: tables.bookkeeping, Item: this.item });
      }
    }
    const projection = new Ticking();
    const { item } = projection;
    const bodies: string[] = [];
    const spying = breakGlassClient({ maxAttempts: 1 });
    spying.middlewareStack.add(
      (next) => async (args) => {
        bodies.push(Buffer.copyBytesFrom((args.request as { body: Uint8Array }).body).toString());
        item.seen.push(2);
        item.bytes[0] = 2;
        item.names.add('b');
        if (bodies.length < 3) throw reset;
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low', name: 'spy' },
    );
    const inline = new InlineProjections();
    inline.add('ticking', ['faults'], new ProjectionMethods(projection, registry));
    const store = new DynamoDbEventStore({ client: spying, tables, registry, deadlineMs: 5000 });
    store.joinCommits = (events) => inline.writesOf(events);
    await store.append(newStream(), ticks(1), { expectedVersion: 0 });
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies).size).toBe(1);
    const Key = { pk: item.pk, sk: item.sk };
    const get = new GetCommand({ TableName: tables.bookkeeping, Key, ConsistentRead: true });
    const { Item } = await DynamoDBDocumentClient.from(spying).send(get);
    expect(Item).toEqual({ ...Key, seen: [1], bytes: new Uint8Array([1]), names: new Set(['a']) });
    spying.destroy();
  });

  describe('a read', () => {
    it.each<[string, Fault[]]>([
      ['its connection is reset', [before(reset)]],
      ['the server fails', [before(failure('InternalServerError', 500))]],
      ['the answer is empty, which would make the stream look empty', [answering({})]],
      ['it is throttled', [before(failure('ThrottlingException', 400))]],
      ['a gateway refuses it', [before(unnamed(408)), after(unnamed(403))]],
      ['nothing answers the first attempt', [hanging]],
    ])('asks again when %s', async (_, injected) => {
      const stream = newStream();
      await newStore().append(stream, ticks(1, 2), { expectedVersion: 0 });
      faults = [...injected];
      expect((await collect(newStore(1000).read(stream))).map(({ version }) => version)).toEqual([1, 2]);
      expect(faults).toEqual([]);
    });

    it('is strongly consistent, of whatever it is', async () => {
      const watched = newClient();
      const consistent: unknown[] = [];
      watched.middlewareStack.add(
        (next, context) => (args) => {
          const { commandName } = context as { commandName?: string };
          if (commandName === 'QueryCommand') consistent.push((args.input as QueryCommandInput).ConsistentRead);
          return next(args);
        },
        { step: 'initialize', priority: 'low', name: 'watchReads' },
      );
      const store = new DynamoDbEventStore({ client: watched, tables, registry, deadlineMs: 5000 });
      const stream = newStream();
      await store.append(stream, ticks(1), { expectedVersion: ANY_VERSION });
      await collect(store.read(stream, { direction: 'backward' }));
      await store.readSinceSnapshot(stream, 5);
      await store.readSinceSnapshot(stream, 0);
      expect(consistent.length).toBeGreaterThanOrEqual(4);
      expect(new Set(consistent)).toEqual(new Set([true]));
      watched.destroy();
    });

    it('ends as unavailable at the deadline', async () => {
      faults = Array.from({ length: 100 }, () => hanging);
      const times: number[] = [];
      for (let tries = 0; tries < 3; tries++) {
        const started = performance.now();
        await expect(collect(newStore(300).read(newStream()))).rejects.toThrow(EventStoreUnavailableError);
        times.push(performance.now() - started);
      }
      expect(Math.min(...times)).toBeLessThan(600);
    });

    it('says at the deadline which answers it got', async () => {
      faults = Array.from({ length: 100 }, () => before(unnamed(403)));
      const attempt = collect(newStore(300).read(newStream()));
      await expect(attempt).rejects.toThrow(EventStoreUnavailableError);
      await expect(attempt).rejects.toThrow('did not answer before the deadline (last failure: HTTP 403)');
    });
  });

  describe('a stream seen while a commit is being applied', () => {
    const breakGlass = breakGlassClient();
    const document = () => DynamoDBDocumentClient.from(breakGlass);
    const key = (stream: StreamId, sk: number) => ({ pk: `#${stream.aggregateType}#${stream.aggregateId}`, sk });

    afterAll(() => breakGlass.destroy());

    /** Takes an event out of the table, and puts it back when the stream has been queried so many times. */
    async function hide(stream: StreamId, version: number, queries: number): Promise<void> {
      const { Item } = await document().send(new GetCommand({ TableName: tables.events, Key: key(stream, version) }));
      const { pk, sk } = key(stream, version);
      await breakGlass.send(
        new DeleteItemCommand({ TableName: tables.events, Key: { pk: { S: pk }, sk: { N: String(sk) } } }),
      );
      const none: Fault = (work) => work();
      const putBack: Fault = async (work) => {
        await document().send(new PutCommand({ TableName: tables.events, Item: Item! }));
        return work();
      };
      faults = [...Array.from({ length: queries }, () => none), putBack];
    }

    it.each([
      ['its last event is not visible yet', 3],
      ['its first event is not visible yet', 1],
      ['an event in the middle is not visible yet', 2],
    ])('is read again while %s', async (_, hidden) => {
      for (const direction of ['forward', 'backward'] as const) {
        const stream = newStream();
        await newStore().append(stream, ticks(1, 2, 3), { expectedVersion: 0 });
        await hide(stream, hidden, 2);
        const seen = (await collect(newStore().read(stream, { direction }))).map(({ version }) => version);
        expect(seen).toEqual(direction === 'forward' ? [1, 2, 3] : [3, 2, 1]);
      }
      const stream = newStream();
      await newStore().append(stream, ticks(1, 2, 3), { expectedVersion: 0 });
      await hide(stream, hidden, 2);
      const { events } = await newStore().readSinceSnapshot(stream, 10);
      expect((await collect(events)).map(({ version }) => version)).toEqual([1, 2, 3]);
    });

    it('is read again where the event behind the newest that were fetched is not visible yet', async () => {
      const stream = newStream();
      await newStore().append(stream, ticks(1, 2), { expectedVersion: 0 });
      await newStore().append(stream, ticks(3, 4, 5, 6, 7, 8, 9), { expectedVersion: 2 });
      // The newest come with the first query, and the older ones with the second.
      await hide(stream, 3, 2);
      const { events } = await newStore().readSinceSnapshot(stream, 5);
      expect((await collect(events)).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });

    it.each([1, 2, 3])(
      'that has lost version %d for good is an error which names it, never skipped',
      async (version) => {
        const stream = newStream();
        await newStore().append(stream, ticks(1, 2, 3), { expectedVersion: 0 });
        await hide(stream, version, 1000);
        faults = [];
        // Each asks again for a while, and so all at once.
        const store = newStore();
        const reads = [
          collect(store.read(stream)),
          collect(store.read(stream, { direction: 'backward' })),
          store.readSinceSnapshot(stream, 10),
        ];
        await Promise.all(reads.map((read) => expectHole(read, stream, version)));
      },
      60_000,
    );

    async function expectHole(read: Promise<unknown>, { aggregateId }: StreamId, version: number): Promise<void> {
      await expect(read).rejects.toThrow(CorruptStreamError);
      await expect(read).rejects.toThrow(`faults "${aggregateId}" has a hole at version ${version},`);
    }

    describe('by commits of one event each', () => {
      const BOUNDED: readonly [ReadRange, number[]][] = [
        [{ toVersion: 5 }, [1, 2, 3, 4, 5]],
        [{ fromVersion: 5, toVersion: 5 }, [5]],
        [{ fromVersion: 3, toVersion: 5, direction: 'backward' }, [5, 4, 3]],
        [{ fromVersion: 5, toVersion: 5, direction: 'backward' }, [5]],
        [{ toVersion: 5, direction: 'backward', limit: 1 }, [5]],
      ];

      async function eightEvents(): Promise<StreamId> {
        const stream = newStream();
        for (let version = 0; version < 8; version++) {
          await newStore().append(stream, ticks(version + 1), { expectedVersion: version });
        }
        return stream;
      }

      it.each(BOUNDED)('is read again where the bound of %j is not visible yet', async (range, expected) => {
        const stream = await eightEvents();
        for (const queries of [2, 3]) {
          await hide(stream, 5, queries);
          expect((await collect(newStore().read(stream, range))).map(({ version }) => version)).toEqual(expected);
        }
      });

      it('that has lost version 5 for good is an error, also where a read has its bound there', async () => {
        const stream = await eightEvents();
        await hide(stream, 5, 1000);
        faults = [];
        const store = newStore();
        await Promise.all(BOUNDED.map(([range]) => expectHole(collect(store.read(stream, range)), stream, 5)));
      }, 60_000);

      it('ends where it ends, also when it goes on while that is looked up', async () => {
        for (const direction of ['forward', 'backward'] as const) {
          const stream = newStream();
          await newStore().append(stream, ticks(1, 2), { expectedVersion: 0 });
          faults = [
            (work) => work(),
            async (work) => {
              await newStore().append(stream, ticks(3), { expectedVersion: 2 });
              return work();
            },
          ];
          const seen = await collect(newStore().read(stream, { toVersion: 9, direction }));
          expect(seen.map(({ version }) => version).toSorted()).toEqual([1, 2]);
          expect(faults).toEqual([]);
        }
      });

      it.each<[ReadRange, number]>([
        [{}, 1],
        [{ direction: 'backward' }, 1],
        [{ fromVersion: 9 }, 1],
        [{ toVersion: 8 }, 1],
        [{ toVersion: 8, direction: 'backward' }, 1],
        [{ fromVersion: 2, toVersion: 4 }, 1],
        [{ toVersion: 99, limit: 3 }, 1],
        [{ toVersion: 9 }, 2],
        [{ toVersion: 9, direction: 'backward', limit: 1 }, 2],
        [{ fromVersion: 9, toVersion: 99 }, 2],
      ])('is looked beyond by %j with %d requests in all', async (range, expected) => {
        const stream = await eightEvents();
        requests.splice(0);
        await collect(newStore().read(stream, range));
        expect(requests).toHaveLength(expected);
      });

      it('is looked beyond by nobody who knows where it ends', async () => {
        const stream = await eightEvents();
        const feed = new DynamoDbEventFeed({ client, tableName: tables.events, deadlineMs: 5000 });
        const anywhere: CommitReference = {
          commitId: randomUUID(),
          appends: [{ stream, expectedVersion: ANY_VERSION }],
        };
        requests.splice(0);
        await newStore().outcomeOf(anywhere);
        await collect(feed.readStream(stream, { toVersion: 9 }));
        await collect(feed.readStream(stream, { toVersion: 9, direction: 'backward', limit: 1 }));
        expect(requests).toHaveLength(3);
        await collect((await newStore().readSinceSnapshot(stream, 3)).events);
        expect(requests).toHaveLength(5);
      });
    });

    it('whose last event is not visible yet does not use a snapshot that is ahead', async () => {
      const stream = newStream();
      await newStore().append(stream, ticks(1), { expectedVersion: 0 });
      await newStore().append(stream, ticks(2), { expectedVersion: 1 });
      await newStore().saveSnapshot(stream, { version: 2, eventTime: 1, snapshotVersion: 1, state: '{}' });
      await hide(stream, 2, 1000);
      faults = [];
      const { snapshot, events } = await newStore().readSinceSnapshot(stream, 10);
      expect(snapshot).toBeUndefined();
      expect((await collect(events)).map(({ version }) => version)).toEqual([1]);
    });

    it('may be cut by the reader itself', async () => {
      const stream = newStream();
      await newStore().append(stream, ticks(1, 2, 3), { expectedVersion: 0 });
      requests.splice(0);
      expect(await collect(newStore().read(stream, { toVersion: 2 }))).toHaveLength(2);
      expect(await collect(newStore().read(stream, { limit: 1 }))).toHaveLength(1);
      expect(await collect(newStore().read(stream, { toVersion: 2, direction: 'backward' }))).toHaveLength(2);
      expect(requests).toHaveLength(3);
    });
  });

  describe('credentials that cannot be had', () => {
    const failing = (failures: number, error: Error) => async () => {
      if (failures-- > 0) throw error;
      return { accessKeyId: 'local', secretAccessKey: 'local' };
    };
    const noProvider = Object.assign(new Error('No role.'), { name: 'CredentialsProviderError' });

    it.each([
      ['of the provider', noProvider],
      ['of the network', reset],
      ['of a name that is not found', Object.assign(new Error('No name.'), { code: 'EAI_AGAIN' })],
      ['of the service that is asked', failure('ServiceUnavailable', 503)],
    ])('are asked for again before a write, after a failure %s', async (_, error) => {
      const waiting = newClient({ credentials: failing(2, error) });
      const store = new DynamoDbEventStore({ client: waiting, tables, registry, deadlineMs: 5000 });
      const stream = newStream();
      await store.append(stream, ticks(1), { expectedVersion: 0 });
      expect(await counts(stream)).toEqual([1]);
      waiting.destroy();
    });

    it('are no fault of what a projection writes', async () => {
      const waiting = newClient({ credentials: failing(Infinity, noProvider) });
      const bookkeeping = new DynamoDbBookkeeping({ client: waiting, tableName: tables.bookkeeping, deadlineMs: 200 });
      const step = { projection: 'p', stream: newStream(), fromVersion: 1, version: 1 };
      const attempt = bookkeeping.project([step], [{ Put: { TableName: tables.bookkeeping, Item: { id: 'a' } } }]);
      await expect(attempt).rejects.toMatchObject({ name: 'EventStoreUnavailableError' });
      waiting.destroy();
    });
  });

  describe('a server that accepts and never answers', () => {
    let silent: Server;

    beforeAll(async () => {
      silent = createServer(() => {});
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    });

    afterAll(() => {
      silent.closeAllConnections();
      silent.close();
    });

    it('ends every operation at its deadline', async () => {
      const deaf = newClient({ endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
      const store = new DynamoDbEventStore({ client: deaf, tables, registry, deadlineMs: 400 });
      const bookkeeping = new DynamoDbBookkeeping({ client: deaf, tableName: tables.bookkeeping, deadlineMs: 400 });
      const clocks = clocksOf(store);
      const stream = newStream();
      const id = stream.aggregateId;
      const snapshot = { version: 1, eventTime: 1, snapshotVersion: 1, state: '{}' };
      const commit = { commitId: randomUUID(), appends: [{ stream, events: ticks(1), expectedVersion: 0 }] };
      const step = { projection: 'p', stream, fromVersion: 1, version: 1 };
      const operations: [Promise<unknown>, unknown][] = [
        [store.append(stream, ticks(1), { expectedVersion: 0 }), CommitOutcomeUnknownError],
        [store.append(stream, ticks(1, 2), { expectedVersion: 0 }), CommitOutcomeUnknownError],
        [store.append(stream, ticks(1), { expectedVersion: 5 }), EventStoreUnavailableError],
        [collect(store.read(stream)), EventStoreUnavailableError],
        [store.readSinceSnapshot(stream, 5), EventStoreUnavailableError],
        [store.saveSnapshot(stream, snapshot), EventStoreUnavailableError],
        [store.outcomeOf(commit), EventStoreUnavailableError],
        [store.findIdempotencyRecord({ command: 'Tick', key: '1' }), EventStoreUnavailableError],
        [collect(store.query({ aggregateType: 'faults' })), EventStoreUnavailableError],
        [collect(store.query({ userId: 'ada' })), EventStoreUnavailableError],
        [clocks.load(id), EventStoreUnavailableError],
        [clocks.exists(id), EventStoreUnavailableError],
        [clocks.loadAt(id, { version: 1 }), EventStoreUnavailableError],
        [bookkeeping.entry(['a'], 'b'), EventStoreUnavailableError],
        [bookkeeping.entries(['a']), EventStoreUnavailableError],
        [bookkeeping.positionsOf('p', [stream]), EventStoreUnavailableError],
        [bookkeeping.write(['a'], 'b', {}, 0), EventStoreUnavailableError],
        [bookkeeping.remove(['a'], 'b', 1), EventStoreUnavailableError],
        [bookkeeping.project([step], []), EventStoreUnavailableError],
      ];
      const started = performance.now();
      await Promise.all(
        operations.map(async ([operation, error]) => {
          await expect(operation).rejects.toBeInstanceOf(error);
          expect(performance.now() - started).toBeLessThan(800);
        }),
      );
      deaf.destroy();
    });

    it('and one that is not there at all: nothing was written', async () => {
      // One refused connection an attempt: one that is still connecting when its time is up would leave it unknown, so
      // there is time for a busy machine.
      const nobody = newClient({ endpoint: 'http://127.0.0.1:1', maxAttempts: 1 });
      const store = new DynamoDbEventStore({ client: nobody, tables, registry, deadlineMs: 2000 });
      await expect(store.append(newStream(), ticks(1), { expectedVersion: 0 })).rejects.toThrow(
        EventStoreUnavailableError,
      );
      nobody.destroy();
    });
  });
});
