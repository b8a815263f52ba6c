import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';
import { DeleteTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { DynamoDbEventStore, EventRegistry } from '../../src/index.js';
import { DynamoDbBookkeeping } from '../../src/dynamodb/dynamodb-bookkeeping.js';
import { feedPlace, feedSlice } from '../../src/dynamodb/index-keys.js';
import { streamKey } from '../../src/event/stream-id.js';
import { timeOf } from '../../src/store/event-feed.js';
import { streamHash } from '../../src/subscription/gate.js';
import { leaseOf, Leases } from '../../src/subscription/leases.js';
import { Parking } from '../../src/subscription/parking.js';
import { campaign } from './campaign.js';
import { startChild } from './child-processes.js';
import { startFaultyProxy } from './faulty-proxy.js';
import { NetworkWeather } from './network-weather.js';
import { Random } from './random.js';
import { clientFor, createTables, createViewTable } from './tables.js';
import { Counted, COUNTER, type Total } from './view-torture/totals.js';
import type { WorkerJob } from './view-torture/worker.js';
import { streamOf, WrittenLog } from './view-torture/written-log.js';

const DEFAULTS = {
  events: 100_000,
  counters: 2000,
  workers: 4,
  writers: 4,
  faults: 0.1,
  outages: 0.002,
  deadlineMs: 2000,
  leaseMs: 3000,
  /** What is older counts as settled. */
  backtrackMs: 10_000,
  /** A worker is killed, or stopped for longer than its lease and woken again, about so often. */
  killEveryMs: 3000,
};

/** Of the workers that are hit, so many are not killed, but hang and wake up. */
const HANG_SHARE = 0.3;
const SAMPLES = 20;
const BEHIND_AT_A_TIME = 100;
/** How long the view may take after the last event, beside ten times as long as writing took. */
const PATIENCE_MS = 180_000;

export const viewTorture = campaign({
  about:
    'Processes that keep an exactly-once view are killed, hang and come back behind a faulty network, while events are written: the view equals the fold of all events.',
  defaults: DEFAULTS,

  async run(options, { endpoint, seed, progress }) {
    const { events, counters, workers, writers, faults, outages, deadlineMs, killEveryMs } = options;
    const { leaseMs, backtrackMs } = options;
    const random = new Random(seed);
    const tables = await createTables(endpoint);
    const client = clientFor(endpoint);
    const totals = await createViewTable(client, tables.names.events.replace('events', 'totals'));
    const weather = new NetworkWeather(random.fork(), { faults, outages, outageMs: deadlineMs * 1.5 });
    const proxy = await startFaultyProxy(endpoint, { choose: () => weather.choose(), lateMs: deadlineMs / 2 });
    const store = new DynamoDbEventStore({
      client,
      tables: tables.names,
      registry: new EventRegistry().register(Counted),
      deadlineMs: 30_000,
    });
    const log = new WrittenLog(store, random.fork());
    const view = new View(client, tables.names.bookkeeping, totals, log);
    const timing = { leaseMs, backtrackMs, pollMs: 100 };
    const job = { endpoint: proxy.endpoint, tables: tables.names, totals, deadlineMs, timing };
    const crew = new Crew(job, workers, random.fork());
    try {
      const begun = Date.now();
      const ids = Array.from({ length: counters }, (_, index) => `counter-${index}`);
      const writing = Promise.all(
        Array.from({ length: writers }, async (_, writer) => {
          const own = ids.filter((_id, index) => index % writers === writer);
          while (log.events < events) await log.append(random.pick(own));
        }),
      );
      let over = false;
      void writing.finally(() => (over = true)).catch(() => {});
      let hitAt = Date.now();
      const trouble = async () => {
        await sleep(200);
        await view.checkCheckpoints(random.sample(log.ids, SAMPLES));
        if (Date.now() - hitAt <= killEveryMs * (0.5 + random.next())) return;
        crew.hit(leaseMs * 1.5);
        hitAt = Date.now();
      };
      while (!over) {
        await trouble();
        progress(log.events, events, `events, ${crew.kills} kills, ${crew.hangs} hangs`);
      }
      await writing;
      const patience = Date.now() + PATIENCE_MS + 10 * (Date.now() - begun);
      let behind = log.ids;
      while (behind.length > 0 && Date.now() < patience) {
        await trouble();
        behind = await view.behind(behind);
        const passed = Math.floor(log.events * view.seen);
        progress(passed, log.events, `events in the view, ${crew.kills} kills, ${crew.hangs} hangs`);
      }
      await view.compare();
      return {
        violations: view.violations,
        figures: {
          events: log.events,
          counters: log.ids.length,
          workers,
          kills: crew.kills,
          hangs: crew.hangs,
          'faults injected': weather.injected,
          'checkpoints checked': view.checked,
        },
      };
    } finally {
      await crew.end();
      await proxy.settled();
      await proxy.close();
      await client.send(new DeleteTableCommand({ TableName: totals }));
      client.destroy();
      await tables.drop();
    }
  },
});

/** The view, beside what it should be. */
class View {
  readonly violations: string[] = [];
  checked = 0;
  /** Which share of the events was in the view at the last look at counters that were behind. */
  seen = 0;
  private readonly documents: DynamoDBDocumentClient;
  private readonly leases: Leases;
  private readonly parking: Parking;

  constructor(
    client: DynamoDBClient,
    bookkeepingTable: string,
    private readonly tableName: string,
    private readonly log: WrittenLog,
  ) {
    this.documents = DynamoDBDocumentClient.from(client);
    const bookkeeping = new DynamoDbBookkeeping({ client, tableName: bookkeepingTable, deadlineMs: 30_000 });
    this.leases = new Leases(bookkeeping, 'totals');
    this.parking = new Parking(bookkeeping, 'totals');
  }

  /** Whatever a checkpoint has passed is in the view. */
  async checkCheckpoints(ids: readonly string[]): Promise<void> {
    const leases = await this.leases.all();
    for (const id of ids) {
      const stream = streamOf(id);
      const { slice } = feedPlace(streamKey(stream), '');
      const checkpoint = leaseOf(leases, feedSlice(COUNTER, slice))?.checkpoint;
      if (!checkpoint) continue;
      const settled = this.log.versionBefore(id, timeOf(checkpoint.settled));
      const passed = Math.max(settled, checkpoint.recent[streamHash(stream)] ?? 0);
      if (passed === 0) continue;
      this.checked++;
      const { version = 0 } = (await this.totalOf(id)) ?? {};
      if (version < passed)
        this.violations.push(`${id} is at version ${version}, and the checkpoint has passed ${passed}.`);
    }
  }

  /** Of these counters the ones that may be behind: it looks at a few, so that looking takes nothing from the workers. */
  async behind(ids: readonly string[]): Promise<readonly string[]> {
    const looked = ids.slice(0, BEHIND_AT_A_TIME);
    const totals = await Promise.all(looked.map(async (id) => [id, await this.totalOf(id)] as const));
    const versions = totals.map(([id, total]) => ({ id, is: total?.version ?? 0, should: this.log.total(id).version }));
    this.seen = sumOf(versions.map(({ is }) => is)) / sumOf(versions.map(({ should }) => should));
    const behind = versions.filter(({ is, should }) => is < should).map(({ id }) => id);
    return [...ids.slice(looked.length), ...behind];
  }

  async compare(): Promise<void> {
    for (const id of this.log.ids) {
      const [should, is] = [JSON.stringify(this.log.total(id)), JSON.stringify(sorted(await this.totalOf(id)))];
      if (should !== is) this.violations.push(`${id} is ${is}, and should be ${should}.`);
    }
    for (const { parked } of await this.parking.list()) this.violations.push(`Parked: ${JSON.stringify(parked)}`);
  }

  private async totalOf(id: string): Promise<Total | undefined> {
    const get = new GetCommand({ TableName: this.tableName, Key: { id }, ConsistentRead: true });
    return (await this.documents.send(get)).Item as Total | undefined;
  }
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

function sorted(total: Total | undefined): Total | undefined {
  return total && { id: total.id, total: total.total, events: total.events, version: total.version };
}

/** The workers, of whom some are killed and replaced, or stopped for a while. */
class Crew {
  kills = 0;
  hangs = 0;
  private ended = false;
  private readonly children = new Set<ChildProcess>();

  constructor(
    private readonly job: WorkerJob,
    workers: number,
    private readonly random: Random,
  ) {
    for (let worker = 0; worker < workers; worker++) this.start();
  }

  hit(hangMs: number): void {
    const child = this.random.pick([...this.children]);
    if (!this.random.chance(HANG_SHARE)) {
      this.kills++;
      child.kill('SIGKILL');
      return;
    }
    this.hangs++;
    child.kill('SIGSTOP');
    setTimeout(() => child.kill('SIGCONT'), hangMs);
  }

  async end(): Promise<void> {
    this.ended = true;
    const exits = [...this.children].map((child) => once(child, 'exit'));
    for (const child of this.children) child.kill('SIGKILL');
    await Promise.all(exits);
  }

  private start(): void {
    const child = startChild<WorkerJob, 'running'>('view-torture/worker-process.js', this.job, () => {});
    this.children.add(child);
    child.once('exit', () => {
      this.children.delete(child);
      if (!this.ended) this.start();
    });
  }
}
