import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import { CommandContext, Subscriptions } from 'nestjs-dynamodb-event-store';
import { AppModule } from '../app.module.js';
import { openDatabase, type Database } from '../database.js';
import { compareChangedCases } from '../demo/compare-changed-cases.js';
import { comparePermitStatistics } from '../demo/compare-permit-statistics.js';
import { until } from '../../test/setup/until.js';
import { ChangedCases } from './changed-cases.js';
import { countLog } from './count-log.js';
import { importLog } from './import-log.js';
import type { CaseFacts, Step } from './permit-events.js';
import { PermitStatistics, type PermitStatisticsShown } from './permit-statistics.js';
import { readLog } from './read-log.js';
import { RecordStep } from './record-step.js';

const SMALL_LOG = fileURLToPath(new URL('./small-log.csv', import.meta.url));

let database: Database;
let app: INestApplicationContext;

async function start(): Promise<void> {
  const subscriptions = { marginMs: 5, pollMs: 10, backtrackMs: 1500 };
  app = await NestFactory.createApplicationContext(AppModule.on({ ...database.options, subscriptions }), {
    logger: false,
    abortOnError: false,
  });
}

beforeEach(async () => {
  database = await openDatabase(`permit-statistics-${randomUUID()}`);
  await start();
});

afterEach(async () => {
  await app.close();
  await database.stop();
});

const subscriptions = () => app.get(Subscriptions, { strict: false });
const statistics = () => app.get(PermitStatistics, { strict: false });

const shown = () => statistics().all();
const changed = () => app.get(ChangedCases, { strict: false }).last();

/** Waits until the statistics are these. */
async function shows(expected: PermitStatisticsShown): Promise<void> {
  const text = JSON.stringify(expected);
  await until(async () => JSON.stringify(await shown()) === text).catch(() => {});
  expect(await shown()).toEqual(expected);
}

async function record(caseId: string, user: string, activity: string): Promise<void> {
  const facts: CaseFacts = {
    channel: '',
    department: '',
    group: '',
    responsible: '',
    startDate: '',
    endDate: '',
    plannedEndDate: '',
    deadline: '',
  };
  const step: Step = { activity, taskId: '', transition: '', group: '', doneAt: '2024-05-01 10:00:00+02:00' };
  const command = new RecordStep(caseId, facts, step);
  await CommandContext.run({ userId: user }, () => app.get(CommandBus, { strict: false }).execute(command));
}

const EXPECTED = {
  cases: 2,
  steps: [
    { step: 'Begin', times: 2 },
    { step: 'End', times: 1 },
  ],
  users: [
    { user: 'Ada', times: 2 },
    { user: 'Bob', times: 1 },
  ],
};

describe('the statistics of the permit office', () => {
  it('count steps and users, and nothing twice when all events come again', async () => {
    await record('case-1', 'Ada', 'Begin');
    await record('case-2', 'Bob', 'Begin');
    await record('case-1', 'Ada', 'End');
    await shows(EXPECTED);

    await subscriptions().reset('permit-statistics', new Date(0));
    // Each is handled behind all that comes again of its case.
    await record('case-1', 'Bob', 'Close');
    await record('case-2', 'Ada', 'End');
    await shows({
      cases: 2,
      steps: [
        { step: 'Begin', times: 2 },
        { step: 'End', times: 2 },
        { step: 'Close', times: 1 },
      ],
      users: [
        { user: 'Ada', times: 3 },
        { user: 'Bob', times: 2 },
      ],
    });
    expect(await changed()).toMatchObject([
      { caseId: 'case-2', version: 2, step: 'End', user: 'Ada' },
      { caseId: 'case-1', version: 3, step: 'Close', user: 'Bob' },
    ]);
  });

  it('are counted anew when the application starts again', async () => {
    await record('case-1', 'Ada', 'Begin');
    await record('case-1', 'Ada', 'End');
    await until(async () => (await shown()).steps.length === 2);
    await app.close();
    await start();
    await record('case-2', 'Bob', 'Begin');
    await shows(EXPECTED);
  });

  it('equal what is counted from a log, also while they are being asked', async () => {
    const importing = importLog(readLog(SMALL_LOG), { commands: app.get(CommandBus, { strict: false }) });
    let asking = true;
    void importing.finally(() => (asking = false));
    while (asking) {
      const { steps, users } = await statistics().all();
      const sum = (counts: readonly { times: number }[]) => counts.reduce((total, { times }) => total + times, 0);
      expect(sum(steps)).toBe(sum(users));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await importing;
    const counts = await countLog(readLog(SMALL_LOG), new Set());
    await until(async () => comparePermitStatistics(await shown(), counts).length === 0).catch(() => {});
    expect(comparePermitStatistics(await shown(), counts)).toEqual([]);
    expect(
      comparePermitStatistics(await statistics().all(), { ...counts, users: new Map([['nobody', 1]]) }),
    ).toContainEqual('The statistics have no steps by nobody, and the file 1.');

    const last = await changed();
    expect(compareChangedCases(last, counts.cases)).toEqual([]);
    const [first, second] = last.slice(0, 2).map(({ caseId }) => caseId) as [string, string];
    const others = new Map(counts.cases).set(first, { ...counts.cases.get(first)!, lastUser: 'nobody' });
    others.delete(second);
    expect(compareChangedCases(last.slice(1), others)).toEqual([
      '9 cases are shown as those that changed last, not 10.',
      `Case ${second} is shown, and the file does not have it.`,
    ]);
    expect(compareChangedCases(last, others)).toContainEqual(expect.stringMatching(/^Case .* by nobody\.$/));
  });
});
