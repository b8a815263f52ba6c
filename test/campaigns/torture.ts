import { ScanCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { campaign, type Stage } from './campaign.js';
import { inChildProcesses } from './child-processes.js';
import { clientFor, createTables } from './tables.js';
import { streamOf } from './torture/account.js';
import { Audit } from './torture/audit.js';
import { startBank, type Bank } from './torture/bank-application.js';
import { BookingPlan } from './torture/booking-plan.js';
import { Ledger } from './torture/ledger.js';
import { runWriters, type WritersJob, type WritersReport } from './torture/writers.js';

const READERS = 8;

export const torture = campaign({
  about: 'Many writers on few accounts in several processes: each command is stored once and whole, or not at all.',
  defaults: {
    commands: 100_000,
    processes: 4,
    writers: 8,
    accounts: 500,
    hot: 0.3,
    faults: 0,
    outages: 0.004,
    deadlineMs: 2_500,
    conflictRetries: 6,
  },

  async run(options, stage) {
    const { endpoint, seed } = stage;
    const tables = await createTables(endpoint);
    const client = clientFor(endpoint);
    try {
      const plan = new BookingPlan({ ...options, seed });
      const ledger = new Ledger(plan.size);
      const jobs = Array.from({ length: options.processes }, (_, process) => {
        return { ...options, endpoint, seed, process, tables: tables.names };
      });
      const started = performance.now();
      const written = await write(jobs, ledger, stage);
      const seconds = (performance.now() - started) / 1000;

      const bank = await startBank({ client, tables: tables.names, deadlineMs: 60_000, conflictRetries: 0 });
      const audit = new Audit(plan, ledger);
      try {
        const streams = await readAll(bank, plan, audit, stage);
        for (const [number, { reference }] of ledger.unknown) {
          audit.settled(number, await bank.eventStore.outcomeOf(reference));
        }
        audit.commands();
        const inTable = await countEvents(client, tables.names.events, (count) => {
          stage.progress(count, audit.events, 'events counted');
        });
        if (inTable !== audit.events) {
          audit.violations.push(`The table holds ${inTable} events, and the streams show ${audit.events}.`);
        }
        return {
          violations: [...ledger.violations, ...audit.violations],
          figures: {
            commands: plan.size,
            acknowledged: ledger.count('acknowledged'),
            refused: ledger.count('refused'),
            ...Object.fromEntries([...ledger.refusals].map(([name, count]) => [`of these ${name}`, count])),
            unknown: ledger.count('unknown'),
            'conflicts retried': written.conflictsRetried,
            events: audit.events,
            streams,
            requests: written.requests,
            'faults injected': written.faultsInjected,
            'commands/s': Math.round(plan.size / seconds),
          },
        };
      } finally {
        await bank.close();
      }
    } finally {
      client.destroy();
      await tables.drop();
    }
  },
});

interface Written {
  conflictsRetried: number;
  requests: number;
  faultsInjected: number;
}

async function write(jobs: readonly WritersJob[], ledger: Ledger, { progress }: Stage): Promise<Written> {
  const written: Written = { conflictsRetried: 0, requests: 0, faultsInjected: 0 };
  let done = 0;
  const enter = ({ ended, conflictsRetried, requests, faultsInjected }: WritersReport) => {
    for (const booking of ended) ledger.enter(booking);
    written.conflictsRetried += conflictsRetried;
    written.requests += requests;
    written.faultsInjected += faultsInjected;
    done += ended.length;
    progress(done, jobs[0]!.commands, 'commands');
  };
  if (jobs.length === 1) await runWriters(jobs[0]!, enter);
  else await inChildProcesses('torture/writer-process.js', jobs, enter);
  return written;
}

/** Reads every account that a command may have touched; how many of them there are. */
async function readAll(bank: Bank, plan: BookingPlan, audit: Audit, { progress }: Stage): Promise<number> {
  const touched = new Set<number>();
  for (let number = 0; number < plan.size; number++) {
    for (const { account } of plan.booking(number).entries) touched.add(account);
  }
  let read = 0;
  let streams = 0;
  const accounts = touched.values();
  const reader = async () => {
    for (const account of accounts) {
      const events = await audit.account(account, bank.eventStore.read(streamOf(account)));
      progress(++read, touched.size, 'accounts read');
      if (events.version === 0) continue;
      streams++;
      const { state, version } = await bank.load(account);
      audit.loaded(account, events, { state, version });
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return streams;
}

/** All events in the table, so that none can hide in a stream that nobody asks for. */
async function countEvents(client: DynamoDBClient, TableName: string, shown: (count: number) => void): Promise<number> {
  let count = 0;
  let last: Record<string, never> | undefined;
  do {
    const page = await client.send(
      new ScanCommand({
        TableName,
        Select: 'COUNT',
        FilterExpression: 'attribute_exists(eventId)',
        // Without it, DynamoDB Local looks at the whole table for each page.
        Limit: 1000,
        ConsistentRead: true,
        ...(last && { ExclusiveStartKey: last }),
      }),
    );
    count += page.Count!;
    shown(count);
    last = page.LastEvaluatedKey as typeof last;
  } while (last);
  return count;
}
