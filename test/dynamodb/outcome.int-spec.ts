import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ANY_VERSION,
  CommitOutcomeUnknownError,
  DynamoDbEventStore,
  EventRegistry,
  EventStoreUnavailableError,
  EventType,
  OperationAbortedError,
  provisionTables,
  type CommitReference,
  type StreamId,
} from '../../src/index.js';
import { startFaultyProxy, type Fault, type FaultyProxy, type ProxiedRequest } from '../campaigns/faulty-proxy.js';
import { collect } from '../setup/collect.js';
import { newClient, newTableNames } from '../setup/database.js';
import { until } from '../setup/until.js';

@EventType('outcome.Ticked')
class Ticked {
  constructor(readonly count: number) {}
}

const LATE_MS = 700;

describe('an operation that gets no answer', () => {
  const tables = newTableNames();
  const registry = new EventRegistry().register(Ticked);
  let client: DynamoDBClient;
  let proxy: FaultyProxy;
  let choose: (request: ProxiedRequest) => Fault | undefined;
  let streams = 0;

  beforeAll(async () => {
    const direct = newClient();
    await provisionTables(direct, tables);
    direct.destroy();
    client = newClient({ maxAttempts: 1 });
    proxy = await startFaultyProxy(process.env.DYNAMODB_ENDPOINT!, {
      choose: (request) => choose(request),
      lateMs: LATE_MS,
    });
    proxy.route(client);
  });

  afterAll(async () => {
    client.destroy();
    await proxy.close();
  });

  const storeWith = (deadlineMs: number) => new DynamoDbEventStore({ client, tables, registry, deadlineMs });
  const newStream = (): StreamId => ({ aggregateType: 'outcome', aggregateId: `stream-${++streams}` });
  const ticks = (...counts: number[]) => counts.map((count) => new Ticked(count));
  const clean = () => (choose = () => undefined);
  const onWrites = (fault: Fault) => (choose = ({ operation }) => (operation === 'Query' ? undefined : fault));

  async function unknown(stream: StreamId, events: object[]): Promise<CommitOutcomeUnknownError> {
    const error: unknown = await storeWith(300)
      .append(stream, events, { expectedVersion: 0 })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
    return error as CommitOutcomeUnknownError;
  }

  describe.each<[string, object[]]>([
    ['one event', ticks(1)],
    ['several events', ticks(1, 2)],
  ])('a commit of %s', (_, events) => {
    it('that was stored is found to be', async () => {
      onWrites('hang-after');
      const error = await unknown(newStream(), events);
      clean();
      expect(await storeWith(5000).outcomeOf(error)).toBe('stored');
      const kept = JSON.parse(JSON.stringify(error)) as CommitReference;
      expect(kept.lastAttemptAt).toBeDefined();
      expect(await storeWith(5000).outcomeOf(kept)).toBe('stored');
    });

    it('that is still under way is undecided, until it is there', async () => {
      const stream = newStream();
      onWrites('late-request');
      const error = await unknown(stream, events);
      clean();
      const store = storeWith(5000);
      expect(await store.outcomeOf(error)).toBe('undecided');
      await until(async () => (await store.outcomeOf(error)) === 'stored');
      expect(await collect(store.read(stream))).toHaveLength(events.length);
    });

    it('that never arrived is decided as soon as another commit has its place', async () => {
      const stream = newStream();
      onWrites('hang-before');
      const error = await unknown(stream, events);
      clean();
      const store = storeWith(5000);
      expect(await store.outcomeOf(error)).toBe('undecided');
      await store.append(stream, ticks(9), { expectedVersion: 0 });
      expect(await store.outcomeOf(error)).toBe('not-stored');
    });

    it('that never arrived is not taken for another that was given its commitId', async () => {
      const stream = newStream();
      const commitId = `import-${streams}`;
      const commit = { commitId, appends: [{ stream, events, expectedVersion: 0 }] };
      onWrites('hang-before');
      const error: unknown = await storeWith(300)
        .commit(commit)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
      clean();
      const store = storeWith(5000);
      await store.commit({ ...commit, appends: [{ ...commit.appends[0]!, events: ticks(9) }] });
      expect(await store.outcomeOf(error as CommitOutcomeUnknownError)).toBe('not-stored');
      expect(await store.outcomeOf(JSON.parse(JSON.stringify(error)) as CommitReference)).toBe('not-stored');
    });

    it('ends by its signal: unknown when a write was under way', async () => {
      const controller = new AbortController();
      choose = () => {
        controller.abort();
        return 'hang-after';
      };
      const stream = newStream();
      const started = performance.now();
      const { signal } = controller;
      const attempt = storeWith(10_000).append(stream, events, { expectedVersion: 0, signal });
      await expect(attempt).rejects.toThrow(CommitOutcomeUnknownError);
      expect(performance.now() - started).toBeLessThan(2000);
      clean();
      const error = (await attempt.catch((thrown: unknown) => thrown)) as CommitOutcomeUnknownError;
      await until(async () => (await storeWith(5000).outcomeOf(error)) === 'stored');
    });

    it('ends by its signal: aborted when nothing was written', async () => {
      for (const expectedVersion of [5, ANY_VERSION] as const) {
        const controller = new AbortController();
        choose = ({ operation }) => {
          expect(operation).toBe('Query');
          controller.abort();
          return 'hang-before';
        };
        const { signal } = controller;
        const attempt = storeWith(10_000).append(newStream(), events, { expectedVersion, signal });
        await expect(attempt).rejects.toThrow(OperationAbortedError);
      }
      const controller = new AbortController();
      choose = () => 'throttled';
      const throttled = newClient({ maxAttempts: 1 });
      proxy.route(throttled);
      throttled.middlewareStack.add(
        // Once the answer is there, as before that the write would be under way.
        (next) => (args) => next(args).finally(() => setImmediate(() => controller.abort())),
        { step: 'deserialize', priority: 'high', name: 'abortBehindTheAnswer' },
      );
      const store = new DynamoDbEventStore({ client: throttled, tables, registry, deadlineMs: 10_000 });
      const { signal } = controller;
      const attempt = store.append(newStream(), events, { expectedVersion: 0, signal });
      await expect(attempt).rejects.toThrow(OperationAbortedError);
      throttled.destroy();
    });
  });

  it('settles a transaction whose token has expired by its commitId', async () => {
    const forgetful = newClient({ maxAttempts: 1 });
    let sent = 0;
    forgetful.middlewareStack.add(
      (next) => (args) => {
        // As DynamoDB forgets a token after ten minutes, it would see the second request as a new one.
        const input = args.input as { ClientRequestToken?: string };
        return next({ ...args, input: { ...input, ClientRequestToken: `token-${++sent}` } });
      },
      { step: 'initialize', priority: 'high', name: 'forgetToken' },
    );
    const faults: (Fault | undefined)[] = ['reset-after'];
    choose = () => faults.shift();
    proxy.route(forgetful);
    const store = new DynamoDbEventStore({ client: forgetful, tables, registry, deadlineMs: 5000 });
    const stream = newStream();
    const { appended } = await store.append(stream, ticks(1, 2), { expectedVersion: 0 });
    expect(sent).toBe(2);
    expect(appended).toEqual([{ stream, version: 2 }]);
    clean();
    expect(await collect(store.read(stream))).toHaveLength(2);
    forgetful.destroy();
  });

  it('ends a read, whatever page it waits for: each event by its own deadline, a load by one for all', async () => {
    const stream = newStream();
    const large = Array.from({ length: 8 }, () => Object.assign(new Ticked(1), { text: randomText(300_000) }));
    clean();
    for (const [version, event] of large.entries()) {
      await storeWith(10_000).append(stream, [event], { expectedVersion: version });
    }
    let queries = 0;
    choose = () => (queries++ === 0 ? 'late-answer' : 'hang-before');
    const time = async (work: () => Promise<unknown>) => {
      queries = 0;
      const started = performance.now();
      await expect(work()).rejects.toThrow(EventStoreUnavailableError);
      return performance.now() - started;
    };
    // An attempt takes half of it at most, and the late page is large.
    const deadlineMs = 2 * LATE_MS + 1200;
    const store = storeWith(deadlineMs);
    expect(await time(() => collect(store.read(stream)))).toBeGreaterThan(deadlineMs + LATE_MS / 2);
    expect(await time(() => collect(store.read(stream, { deadlineFor: 'read' })))).toBeLessThan(
      deadlineMs + LATE_MS / 2,
    );
    const load = async () => collect((await store.readSinceSnapshot(stream, 100)).events);
    expect(await time(load)).toBeLessThan(deadlineMs + LATE_MS / 2);
    clean();
    expect(await collect(store.read(stream))).toHaveLength(8);
  });
});

describe('a connection that is black-holed', () => {
  it('ends every operation at its deadline', async () => {
    // A server that is stopped takes no connection from its short queue; the kernel drops the packets of the rest.
    const script = `require('net').createServer().listen(0, '127.0.0.1', 1, function () { console.log(this.address().port); })`;
    const server = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [port] = (await once(server.stdout, 'data')) as [Buffer];
      server.kill('SIGSTOP');
      const queued = Array.from({ length: 4 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}));
      await until(() => queued.filter((socket) => !socket.connecting).length >= 2);
      expect(queued.some((socket) => socket.connecting)).toBe(true);

      const client = newClient({ endpoint: `http://127.0.0.1:${Number(port)}` });
      const registry = new EventRegistry().register(Ticked);
      const store = new DynamoDbEventStore({ client, tables: newTableNames(), registry, deadlineMs: 400 });
      const stream = { aggregateType: 'hole', aggregateId: 'a' };
      const started = performance.now();
      await expect(store.append(stream, [new Ticked(1)], { expectedVersion: 0 })).rejects.toThrow(
        CommitOutcomeUnknownError,
      );
      await expect(collect(store.read(stream))).rejects.toThrow(EventStoreUnavailableError);
      expect(performance.now() - started).toBeLessThan(2 * 400 + 400);
      client.destroy();
      for (const socket of queued) socket.destroy();
    } finally {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
  });
});

/** Text that compresses badly. */
function randomText(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(0x21 + Math.floor(Math.random() * 90))).join('');
}

describe('a server that has become slow', () => {
  let silent: Server;
  const sockets = new Set<Socket>();
  let most = 0;

  beforeAll(async () => {
    silent = createServer(() => {});
    silent.on('connection', (socket) => {
      sockets.add(socket);
      most = Math.max(most, sockets.size);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  });

  afterAll(() => void silent.close());

  it('costs no more sockets than the client allows, none afterwards, and no operation its deadline', async () => {
    const client = newClient({ endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    const tables = newTableNames();
    const registry = new EventRegistry().register(Ticked);
    const store = new DynamoDbEventStore({ client, tables, registry, deadlineMs: 3000 });
    const started = performance.now();
    const operations = Array.from({ length: 300 }, (_, index) => {
      const stream = { aggregateType: 'slow', aggregateId: String(index) };
      return index % 2 ? store.append(stream, [new Ticked(1)], { expectedVersion: 0 }) : collect(store.read(stream));
    });
    const endings = await Promise.allSettled(operations);
    const took = performance.now() - started;
    expect(endings.every(({ status }) => status === 'rejected')).toBe(true);
    expect(took).toBeLessThan(3000 + 1500);
    // 50 is the default of the SDK's HTTP handler.
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(50);
    await until(() => sockets.size === 0);
    client.destroy();
  });
});
