import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import {
  type AggregateRepository,
  DynamoDbEventStore,
  EventRegistry,
  EventStore,
  getAggregateRepositoryToken,
  NO_STREAM,
  provisionTables,
  type EventStoreModuleOptions,
} from '../../src/index.js';
import { startFaultyProxy, type FaultyProxy } from '../campaigns/faulty-proxy.js';
import { clientConfig, newClient, newTableNames } from '../setup/database.js';
import { collect } from '../setup/collect.js';
import { until } from '../setup/until.js';
import { Count, Counted, CountedHandler, Counter, CountingModule } from './shutdown/counting.module.js';

const SERVE = fileURLToPath(new URL('../../.build/test/nest/shutdown/serve.js', import.meta.url));

/** Much less than the 30 s after which orchestrators kill, and much more than a loaded machine needs. */
const SOON_MS = 8_000;

const client = newClient();
const tables = newTableNames();
const registry = new EventRegistry();
registry.register(Counted);
const store = new DynamoDbEventStore({ client, tables, registry, deadlineMs: 10_000 });
const stops: (() => unknown)[] = [];

beforeEach(() => provisionTables(client, tables), 30_000);

afterEach(async () => {
  jest.restoreAllMocks();
  for (const stop of stops.splice(0)) await stop();
});

describe('SIGTERM', () => {
  it('stores every acknowledged command once, with its snapshot, while requests go on', async () => {
    const proxy = await slowSnapshots();
    const server = await serve('serve', { tables, clientConfig: { ...clientConfig(), endpoint: proxy.endpoint } });
    const sent: string[] = [];
    const acknowledged: string[] = [];
    const lane = async (name: number) => {
      for (let count = 0; ; count++) {
        const key = `lane-${name}-${count}`;
        sent.push(key);
        const status = await post(server.url, `counters/${key}`);
        if (status === undefined) return;
        expect(status).toBe(201);
        acknowledged.push(key);
        if (acknowledged.length === 30) server.child.kill('SIGTERM');
      }
    };

    await Promise.all([...Array.from({ length: 10 }, (_, name) => lane(name)), server.ended]);

    // The signal that it was sent, and which Nest sends on to itself when all is done.
    expect(server.child.signalCode).toBe('SIGTERM');
    expect(server.said).toEqual([{ port: expect.any(Number) }]);
    expect(acknowledged.length).toBeGreaterThanOrEqual(30);
    for (const key of acknowledged) {
      expect([key, await countedBy(key)]).toEqual([key, 2]);
      expect([key, await snapshotVersion(key)]).toEqual([key, 2]);
    }
    for (const key of sent) expect([0, 2]).toContain(await countedBy(key));
  }, 60_000);

  it('ends the process soon, though requests do not cease', async () => {
    const server = await serve('serve', { tables, clientConfig: clientConfig() });
    let served = 0;
    const lane = async (name: number) => {
      for (let count = 0; (await post(server.url, `counters/endless-${name}-${count}`)) === 201; count++) served++;
    };
    const lanes = Array.from({ length: 40 }, (_, name) => lane(name));
    await until(() => served > 30);

    server.child.kill('SIGTERM');
    await server.endedWithin(SOON_MS);

    expect(server.child.signalCode).toBe('SIGTERM');
    await Promise.all(lanes);
  }, 60_000);
});

describe('a closed application', () => {
  it('leaves nothing open, so that its process ends by itself', async () => {
    const server = await serve('count-and-close', { tables, clientConfig: clientConfig() });
    await until(() => server.said.length === 2);
    await server.endedWithin(SOON_MS);

    expect(server.child.exitCode).toBe(0);
    expect(server.said).toEqual([{ port: expect.any(Number) }, { closed: { socketsLeft: 0 } }]);
    expect(await countedBy('own-0')).toBe(2);
  }, 60_000);

  it('has stored the commands that were in flight, and run their event handlers', async () => {
    const { app } = await listen({ tables, clientConfig: clientConfig() });
    const commands = app.get(CommandBus, { strict: false });
    const keys = Array.from({ length: 20 }, (_, index) => `in-flight-${index}`);

    const executions = keys.map((key) => commands.execute(new Count(key)));
    await app.close();

    for (const key of keys) expect(await countedBy(key)).toBe(2);
    expect(app.get(CountedHandler, { strict: false }).handled.toSorted()).toEqual(
      keys.flatMap((key) => [key, key]).toSorted(),
    );
    await Promise.all(executions);
  });

  it('has stored the commands that began while it closed, and run their event handlers', async () => {
    const { app } = await listen({ tables, clientConfig: clientConfig() });
    const commands = app.get(CommandBus, { strict: false });
    const handler = app.get(CountedHandler, { strict: false });
    const beforeApplicationShutdown = () => void commands.execute(new Count('begun-late')).catch(() => {});
    Object.assign(handler, { beforeApplicationShutdown });

    await app.close();

    expect(await countedBy('begun-late')).toBe(2);
    expect(handler.handled).toEqual(['begun-late', 'begun-late']);
  });

  it('has stored what was saved and appended without a command, and run event handlers, before it closed its client', async () => {
    const { app } = await listen({ tables, clientConfig: clientConfig() });
    const order = orderOfWork(app);
    const counters = app.get<AggregateRepository<Counter>>(getAggregateRepositoryToken(Counter), { strict: false });
    const counter = new Counter('saved');
    counter.countTwice('saved');
    const appended = { aggregateType: 'shutdown-counter', aggregateId: 'appended' };
    const work = [
      counters.save(counter),
      app.get(EventStore).append(appended, [new Counted('appended')], { expectedVersion: NO_STREAM }),
    ];

    await app.close();

    expect(order.toSorted()).toEqual(['closed', 'committed', 'committed', 'snapshot']);
    expect(order.at(-1)).toBe('closed');
    await Promise.all(work);
    expect([await countedBy('saved'), await countedBy('appended')]).toEqual([2, 1]);
    expect(app.get(CountedHandler, { strict: false }).handled).toEqual(['saved', 'saved']);
  });

  it('has stored what its last requests sent, before it closed its client', async () => {
    const { app, url } = await listen({ tables, clientConfig: clientConfig() });
    const order = orderOfWork(app);
    const late = [post(url, 'late/late-1'), post(url, 'late/late-2')];
    await until(() => connectionsOf(app).then((count) => count === 2));

    await app.close();

    expect(await Promise.all(late)).toEqual([201, 201]);
    expect(order.toSorted()).toEqual(['closed', 'committed', 'committed', 'snapshot', 'snapshot']);
    expect(order.at(-1)).toBe('closed');
    expect([await countedBy('late-1'), await countedBy('late-2')]).toEqual([2, 2]);
    expect(app.get(CountedHandler, { strict: false }).handled).toHaveLength(4);
  });
});

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly said: readonly object[];
  readonly ended: Promise<unknown>;
  /** Kills it when it does not end by itself in that time. */
  endedWithin(milliseconds: number): Promise<void>;
}

/** The application in a process of its own. */
async function serve(task: 'serve' | 'count-and-close', options: EventStoreModuleOptions): Promise<Server> {
  const child = spawn(process.execPath, ['--no-warnings', SERVE, JSON.stringify({ task, options })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stops.push(() => child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const lines: Interface = createInterface({ input: child.stdout! });
  const said: object[] = [];
  lines.on('line', (line) => said.push(JSON.parse(line) as object));
  await Promise.race([once(lines, 'line'), ended]);
  const { port } = said[0] as { port: number };
  return {
    child,
    url: `http://127.0.0.1:${port}`,
    said,
    ended,
    endedWithin: async (milliseconds) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** The application in this process. */
async function listen(options: EventStoreModuleOptions): Promise<{ app: INestApplication; url: string }> {
  const app = await NestFactory.create(CountingModule.on(options), { logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}` };
}

/**
 * The status of the answer; undefined when there is none, as the server has gone. Each request comes on a connection of
 * its own: Node does not close a server before those that it has are idle.
 */
async function post(url: string, path: string): Promise<number | undefined> {
  const outgoing = request(`${url}/${path}`, { method: 'POST', agent: false });
  outgoing.end();
  try {
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  } catch {
    return undefined;
  }
}

function connectionsOf(app: INestApplication): Promise<number> {
  const server = app.getHttpServer() as { getConnections(tell: (error: Error | null, count: number) => void): void };
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** Writes down the end of each commit and snapshot, and the closing of the client that the module has made. */
function orderOfWork(app: INestApplication): readonly string[] {
  const order: string[] = [];
  const used = app.get(EventStore);
  const { commit, saveSnapshot } = used;
  jest.spyOn(used, 'commit').mockImplementation(async (...args) => {
    const result = await commit.apply(used, args);
    order.push('committed');
    return result;
  });
  jest.spyOn(used, 'saveSnapshot').mockImplementation(async (...args) => {
    await saveSnapshot.apply(used, args);
    order.push('snapshot');
  });
  const { destroy } = DynamoDBClient.prototype;
  jest.spyOn(DynamoDBClient.prototype, 'destroy').mockImplementation(function (this: DynamoDBClient) {
    order.push('closed');
    destroy.call(this);
  });
  return order;
}

/** Each single put needs a second attempt, so that a snapshot is only written when the process lives to make that. */
async function slowSnapshots(): Promise<FaultyProxy> {
  const proxy = await startFaultyProxy(process.env.DYNAMODB_ENDPOINT!, {
    choose: ({ operation, headers }) =>
      operation === 'PutItem' && /attempt=1;/.test(String(headers['amz-sdk-request'])) ? 'error-503-before' : undefined,
  });
  stops.push(() => proxy.close());
  return proxy;
}

async function countedBy(key: string): Promise<number> {
  return (await collect(store.read({ aggregateType: 'shutdown-counter', aggregateId: key }))).length;
}

async function snapshotVersion(key: string): Promise<number | undefined> {
  const { snapshot } = await store.readSinceSnapshot({ aggregateType: 'shutdown-counter', aggregateId: key }, 2);
  return snapshot?.version;
}
