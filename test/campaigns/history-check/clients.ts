import { DynamoDbEventStore, type TableNames } from '../../../src/index.js';
import { startFaultyProxy } from '../faulty-proxy.js';
import { NetworkWeather } from '../network-weather.js';
import { Random } from '../random.js';
import { clientFor } from '../tables.js';
import type { AppendRecord, ReadRecord } from './history.js';
import { startJournals } from './journal-application.js';
import { JournalClient, type HistoryLog } from './journal-client.js';

/** The part of a run that one process does: each `processes`-th operation from `process` on. */
export interface ClientsJob {
  readonly endpoint: string;
  readonly tables: TableNames;
  readonly seed: number;
  readonly process: number;
  readonly processes: number;
  readonly operations: number;
  readonly writers: number;
  readonly streams: number;
  readonly faults: number;
  readonly outages: number;
  readonly deadlineMs: number;
}

export interface ClientsReport {
  readonly operations: number;
  readonly appends: readonly AppendRecord[];
  readonly reads: readonly ReadRecord[];
  readonly broken: readonly string[];
  /** Since the last report. */
  readonly faultsInjected: number;
}

const OPERATIONS_A_REPORT = 50;

/** How many operations a stream gets, so that none becomes long: each read is kept with all that it saw. */
const OPERATIONS_OF_A_STREAM = 60;

const LATE_SHARE_OF_DEADLINE = 0.55;

/** Clients with connections of their own, behind one faulty network. */
export async function runClients(job: ClientsJob, send: (report: ClientsReport) => void): Promise<void> {
  const { endpoint, seed, tables, deadlineMs, faults, outages } = job;
  const random = new Random(seed + job.process);
  const weather = new NetworkWeather(random.fork(), { faults, outages, outageMs: deadlineMs * 1.5 });
  const proxy = await startFaultyProxy(endpoint, {
    choose: () => weather.choose(),
    lateMs: deadlineMs * LATE_SHARE_OF_DEADLINE,
  });
  const shared = clientFor(endpoint);
  const application = await startJournals({ client: shared, tables, deadlineMs });
  const clients = Array.from({ length: job.writers }, () => clientFor(endpoint));
  for (const client of [shared, ...clients]) proxy.route(client);

  let operations = 0;
  let appends: AppendRecord[] = [];
  let reads: ReadRecord[] = [];
  let broken: string[] = [];
  let reportedFaults = 0;
  const log: HistoryLog = {
    append: (record) => appends.push(record),
    read: (record) => reads.push(record),
    broken: (error) => broken.push(String(error)),
  };
  const report = () => {
    send({ operations, appends, reads, broken, faultsInjected: weather.injected - reportedFaults });
    [operations, appends, reads, broken, reportedFaults] = [0, [], [], [], weather.injected];
  };

  let next = job.process;
  const run = async (eventStore: DynamoDbEventStore) => {
    const client = new JournalClient({ eventStore, application, random: random.fork(), log });
    while (next < job.operations) {
      const number = next;
      next += job.processes;
      await client.operate(`c${number}`, journalsOf(number, job));
      operations++;
      if (operations >= OPERATIONS_A_REPORT) report();
    }
  };
  try {
    await Promise.all(
      clients.map((client) =>
        run(new DynamoDbEventStore({ client, tables, registry: application.registry, deadlineMs })),
      ),
    );
  } finally {
    await application.close();
    for (const client of [shared, ...clients]) client.destroy();
    await proxy.settled();
    await proxy.close();
  }
  report();
}

/** Two of the journals that are in use when an operation has its turn. */
function journalsOf(number: number, { seed, streams }: ClientsJob): [number, number] {
  const random = new Random(seed ^ Math.imul(number + 1, 0x9e3779b1));
  const oldest = Math.floor(number / OPERATIONS_OF_A_STREAM);
  const [journal, other] = [random.below(streams), random.below(streams - 1)];
  return [oldest + journal, oldest + (other < journal ? other : other + 1)];
}
