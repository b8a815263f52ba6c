import { DynamoDbEventStore } from '../../src/index.js';
import { campaign, type Stage } from './campaign.js';
import { inChildProcesses } from './child-processes.js';
import { runClients, type ClientsJob, type ClientsReport } from './history-check/clients.js';
import type { AppendOutcome, AppendRecord, ReadRecord } from './history-check/history.js';
import { historyViolations } from './history-check/history-violations.js';
import { startJournals } from './history-check/journal-application.js';
import { JournalClient } from './history-check/journal-client.js';
import { Random } from './random.js';
import { clientFor, createTables } from './tables.js';

export const historyCheck = campaign({
  about: 'Times what several clients write and read, and checks that one order of events explains all of it.',
  defaults: { operations: 20_000, processes: 2, writers: 8, streams: 6, faults: 0, outages: 0.004, deadlineMs: 2_500 },

  async run(options, stage) {
    const { endpoint, seed } = stage;
    const tables = await createTables(endpoint);
    try {
      const jobs = Array.from({ length: options.processes }, (_, process) => {
        return { ...options, endpoint, seed, process, tables: tables.names };
      });
      const recorded = await recordClients(jobs, stage);
      await readAll(recorded, jobs[0]!);

      const { appends, reads, broken, faultsInjected } = recorded;
      const ended = (kind: AppendOutcome['kind']) => appends.filter(({ outcome }) => outcome.kind === kind).length;
      const by = (how: ReadRecord['by']) => reads.filter((read) => read.by === how).length;
      return {
        violations: [...broken, ...historyViolations(recorded)],
        figures: {
          operations: options.operations,
          streams: new Set(appends.map(({ stream }) => stream)).size,
          acknowledged: ended('acknowledged'),
          refused: ended('refused'),
          unknown: ended('unknown'),
          reads: by('read'),
          'backward reads': by('backward read'),
          loads: by('load'),
          'events seen': reads.reduce((sum, { seen }) => sum + seen.length, 0),
          'faults injected': faultsInjected,
        },
      };
    } finally {
      await tables.drop();
    }
  },
});

interface Recorded {
  readonly appends: AppendRecord[];
  readonly reads: ReadRecord[];
  readonly broken: string[];
  faultsInjected: number;
}

async function recordClients(jobs: readonly ClientsJob[], { progress }: Stage): Promise<Recorded> {
  const recorded: Recorded = { appends: [], reads: [], broken: [], faultsInjected: 0 };
  let done = 0;
  const enter = ({ operations, appends, reads, broken, faultsInjected }: ClientsReport) => {
    recorded.appends.push(...appends);
    recorded.reads.push(...reads);
    recorded.broken.push(...broken);
    recorded.faultsInjected += faultsInjected;
    done += operations;
    progress(done, jobs[0]!.operations);
  };
  if (jobs.length === 1) await runClients(jobs[0]!, enter);
  else await inChildProcesses('history-check/client-process.js', jobs, enter);
  return recorded;
}

/** Adds a last read of each stream, with a clean client and when nothing is under way any more. */
async function readAll({ appends, reads, broken }: Recorded, { endpoint, tables }: ClientsJob): Promise<void> {
  const client = clientFor(endpoint);
  const deadlineMs = 60_000;
  const application = await startJournals({ client, tables, deadlineMs });
  const eventStore = new DynamoDbEventStore({ client, tables, registry: application.registry, deadlineMs });
  const log = {
    append: (record: AppendRecord) => appends.push(record),
    read: (record: ReadRecord) => reads.push(record),
    broken: (error: unknown) => broken.push(String(error)),
  };
  const reader = new JournalClient({ eventStore, application, random: new Random(0), log });
  try {
    for (const stream of new Set(appends.map((append) => append.stream))) {
      await reader.read(Number(stream), 'last read');
      await reader.load(Number(stream));
    }
  } finally {
    await application.close();
    client.destroy();
  }
}
