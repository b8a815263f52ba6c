import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import {
  EventStoreUnavailableError,
  getAggregateRepositoryToken,
  type AggregateRepository,
  type RecordedEvent,
} from 'nestjs-dynamodb-event-store';
import { AppModule } from '../app.module.js';
import { openDatabase, type Database } from '../database.js';
import { CasesController } from './cases.controller.js';
import { compareLog } from './compare-log.js';
import { importLog, ImportFailedError, type ImportResult } from './import-log.js';
import { COLUMNS, type Column, type UnusableRow } from './log-row.js';
import { PermitCase } from './permit-case.js';
import { CaseReceived, StepDone } from './permit-events.js';
import { LogFileError, readLog } from './read-log.js';

const SMALL_LOG = fileURLToPath(new URL('./small-log.csv', import.meta.url));

let folder: string;
let database: Database;
let app: INestApplicationContext;
let commands: CommandBus;
let cases: AggregateRepository<PermitCase>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'permit-office-'));
  database = await openDatabase(`permit-office-${randomUUID()}`);
  app = await NestFactory.createApplicationContext(AppModule.on(database.options, database.accountViews), {
    logger: false,
    abortOnError: false,
  });
  commands = app.get(CommandBus, { strict: false });
  cases = app.get(getAggregateRepositoryToken(PermitCase), { strict: false });
});

afterAll(async () => {
  await app.close();
  await database.stop();
  await rm(folder, { recursive: true });
});

/** A log with these lines after its header. */
async function logFile(...lines: string[]): Promise<string> {
  const path = join(folder, `${randomUUID()}.csv`);
  await writeFile(path, [COLUMNS.join(','), ...lines, ''].join('\n'));
  return path;
}

function line(values: Partial<Record<Column, string>>): string {
  const row = {
    'case:concept:name': 'case-1',
    'concept:name': 'Look at it',
    'org:resource': 'Ada',
    'time:timestamp': '2024-05-01 10:00:00+02:00',
    ...values,
  } as Partial<Record<Column, string>>;
  return COLUMNS.map((column) => row[column] ?? '').join(',');
}

async function importFile(path: string): Promise<ImportResult & { readonly reports: readonly UnusableRow[] }> {
  const reports: UnusableRow[] = [];
  const result = await importLog(readLog(path), { commands, onSkipped: (row) => reports.push(row) });
  return { ...result, reports };
}

async function historyOf(caseId: string): Promise<RecordedEvent<CaseReceived | StepDone>[]> {
  const history: RecordedEvent<CaseReceived | StepDone>[] = [];
  for await (const recorded of cases.history(caseId)) history.push(recorded as (typeof history)[number]);
  return history;
}

describe('importing the small log', () => {
  it('stores one event for each row, and all of them as the file says', async () => {
    const { stored, skipped } = await importFile(SMALL_LOG);
    const rows = (await readFile(SMALL_LOG, 'utf8')).trim().split('\n').length - 1;

    expect({ stored, skipped: skipped.size }).toEqual({ stored: rows, skipped: 0 });
    expect(await compareLog(readLog(SMALL_LOG), skipped, cases)).toEqual({
      cases: 12,
      events: rows,
      differences: [],
      longestCase: 'permit-2023-0071',
    });
  });

  it('keeps the facts of a case with its first event, and the user of each row in the metadata', async () => {
    const [received, next] = await historyOf('permit-2023-0041');

    expect(received!.event).toBeInstanceOf(CaseReceived);
    expect(received!.event).toMatchObject({
      facts: { channel: 'Website', department: 'Building & Housing', responsible: 'j.devries' },
      step: { activity: 'Receive application', taskId: 'step-700', doneAt: '2023-03-06 12:46:00+01:00' },
    });
    expect(received!.metadata).toMatchObject({ userId: 's.özdemir', logLine: '2' });
    expect(next!.event).toBeInstanceOf(StepDone);
    expect(next!.metadata.correlationId).toBe(received!.metadata.correlationId);
  });
});

describe('importing rows of cases that are mixed', () => {
  it('keeps the order of each case, however far apart its rows stand', async () => {
    const caseIds = Array.from({ length: 12 }, () => randomUUID());
    const steps = Array.from({ length: 8 }, (_, index) => `Step ${index}`);
    const lines = steps.flatMap((step) => caseIds.map((id) => line({ 'case:concept:name': id, 'concept:name': step })));
    const path = await logFile(...lines);

    const { stored, skipped } = await importFile(path);

    expect(stored).toBe(96);
    expect((await compareLog(readLog(path), skipped, cases)).differences).toEqual([]);
    expect((await historyOf(caseIds[7]!)).map(({ event }) => event.step.activity)).toEqual(steps);
  });
});

it('tells which cases had a step, each once', async () => {
  const [first, second, other] = Array.from({ length: 3 }, () => randomUUID());
  const step = `Inspect ${randomUUID()}`;
  const row = (id: string | undefined, activity: string) =>
    line({ 'case:concept:name': id!, 'concept:name': activity });
  await importFile(await logFile(row(first, 'Begin'), row(other, 'Begin'), row(first, step), row(first, step)));
  await importFile(await logFile(row(second, step)));

  expect(await app.get(CasesController).withStep({ step })).toEqual([first, second]);
  expect(await app.get(CasesController).withStep({ step: 'Nothing like it' })).toEqual([]);
});

describe('importing malformed rows', () => {
  it('names each with its line and its fault, and stores the rest', async () => {
    const caseId = randomUUID();
    const good = line({ 'case:concept:name': caseId });
    const path = await logFile(
      /* 2 */ good,
      /* 3 */ 'only,three,columns',
      /* 4 */ `${good},one too many`,
      /* 5 */ line({ 'case:concept:name': '' }),
      /* 6 */ line({ 'case:concept:name': caseId, 'concept:name': ' ' }),
      /* 7 */ line({ 'case:concept:name': caseId, 'org:resource': '' }),
      /* 8 */ line({ 'case:concept:name': caseId, 'time:timestamp': '2024-02-30 10:00:00+01:00' }),
      /* 9 */ good,
      /* 10 */ line({ 'case:concept:name': caseId, 'concept:name': 'a "quote' }),
      /* 11 */ line({ 'case:concept:name': caseId, 'concept:name': '"an open quote' }),
      /* 12 */ good,
      /* 13 */ '',
      /* 14 */ line({ 'case:concept:name': 'x'.repeat(3000) }),
      /* 15 */ line({ 'case:concept:name': caseId, 'concept:name': '"Ask, and\nwait"' }),
      /* 17 */ line({ 'case:concept:name': '', 'time:timestamp': 'soon' }),
    );

    const { stored, skipped, reports } = await importFile(path);

    const faults = Object.fromEntries(reports.map((report) => [report.line, report.fault]));
    expect(faults).toEqual({
      3: 'it has 3 columns, and the header has 15',
      4: 'it has 16 columns, and the header has 15',
      5: expect.stringContaining('case:concept:name'),
      6: expect.stringContaining('concept:name (the activity)'),
      7: expect.stringContaining('org:resource'),
      8: expect.stringContaining('time:timestamp'),
      10: expect.stringContaining('quote'),
      11: 'a quote is never closed',
      14: expect.stringContaining('3013 bytes'),
      17: expect.stringMatching(/case:concept:name.*time:timestamp/),
    });
    expect([...skipped].toSorted((a, b) => a - b)).toEqual(Object.keys(faults).map(Number));
    expect(stored).toBe(4);
    expect((await historyOf(caseId)).map(({ metadata }) => metadata.logLine)).toEqual(['2', '9', '12', '15']);
    expect((await compareLog(readLog(path), skipped, cases)).differences).toEqual([]);
  });
});

describe('a file that is no log', () => {
  async function failureOf(path: string): Promise<string> {
    const failure = await importFile(path).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LogFileError);
    return (failure as LogFileError).message;
  }

  it('is refused with one clear sentence', async () => {
    const empty = join(folder, 'empty.csv');
    await writeFile(empty, '');
    const lacking = join(folder, 'lacking.csv');
    await writeFile(lacking, COLUMNS.filter((column) => !column.startsWith('org:')).join(','));
    const doubled = join(folder, 'doubled.csv');
    await writeFile(doubled, [...COLUMNS, 'org:group'].join(','));

    expect(await failureOf(join(folder, 'missing.csv'))).toMatch(
      /missing\.csv cannot be read: there is no such file\.$/,
    );
    expect(await failureOf(folder)).toMatch(/cannot be read: it is a folder\.$/);
    expect(await failureOf(empty)).toMatch(/is empty\.$/);
    expect(await failureOf(lacking)).toMatch(/has a header without org:resource, org:group\.$/);
    expect(await failureOf(doubled)).toMatch(/names a column twice\.$/);
  });
});

describe('an import that cannot go on', () => {
  it('ends with the line and the reason when a command fails, and sends no more', async () => {
    const path = await logFile(
      ...Array.from({ length: 3000 }, (_, index) => line({ 'case:concept:name': `${index}` })),
    );
    let sent = 0;
    const broken = {
      execute: async () => {
        if (++sent > 100) throw new EventStoreUnavailableError('The database is down.');
      },
    };

    const failure = await importLog(readLog(path), { commands: broken as Pick<CommandBus, 'execute'> }).catch(
      (error: unknown) => error,
    );

    expect(failure).toBeInstanceOf(ImportFailedError);
    expect((failure as Error).message).toMatch(/^The import stopped at line \d+, .*: The database is down\.$/);
    expect(sent).toBeLessThan(200);
  });

  it('ends early when it is told to', async () => {
    const path = await logFile(...Array.from({ length: 100 }, () => line({ 'case:concept:name': 'told' })));
    const interrupt = new AbortController();
    let stored = 0;

    const running = importLog(readLog(path), {
      commands,
      signal: interrupt.signal,
      onStored: () => {
        if (++stored === 3) interrupt.abort(new Error('Enough.'));
      },
    });

    await expect(running).rejects.toThrow('Enough.');
    expect(await historyOf('told')).toHaveLength(3);
  });
});

describe('comparing', () => {
  it('names the first difference of each case', async () => {
    const [activity, user, time, count] = Array.from({ length: 4 }, () => randomUUID()) as [
      string,
      string,
      string,
      string,
    ];
    const first = await logFile(...[activity, user, time, count].map((id) => line({ 'case:concept:name': id })));
    const { skipped } = await importFile(first);
    const second = await logFile(
      line({ 'case:concept:name': activity, 'concept:name': 'Look away' }),
      line({ 'case:concept:name': user, 'org:resource': 'Bob' }),
      line({ 'case:concept:name': time, 'time:timestamp': '2024-05-01 10:00:00.000001+02:00' }),
      line({ 'case:concept:name': count }),
      line({ 'case:concept:name': count }),
    );

    const { differences } = await compareLog(readLog(second), skipped, cases);

    expect(differences.toSorted()).toEqual(
      [
        `${activity}: event 1 is "Look at it" (), and in the file "Look away" ().`,
        `${user}: event 1 is by Ada, and in the file by Bob.`,
        `${time}: event 1 was done at 2024-05-01 10:00:00+02:00, and the file says otherwise.`,
        `${count}: the store has 1 events, and the file 2 rows.`,
      ].toSorted(),
    );
  });
});
