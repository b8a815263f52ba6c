import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Class, Subscriptions } from 'nestjs-dynamodb-event-store';
import { givenProjection, recorded, type RecordedHistory } from 'nestjs-dynamodb-event-store/testing';
import { DataSource } from 'typeorm';
import { ChangedCases } from './changed-cases.js';
import { PermitCase } from './permit-case.js';
import { CaseReceived, StepDone, type CaseFacts, type Step } from './permit-events.js';
import { PermitStatisticsDatabase } from './permit-statistics.database.js';
import { PermitStatisticsProjection } from './permit-statistics.projection.js';
import { PermitStatistics } from './permit-statistics.js';
import { LastStep, StepCount, UserCount } from './permit-statistics.tables.js';

let dataSource: DataSource;
let projection: PermitStatisticsProjection;
let statistics: PermitStatistics;
let changed: ChangedCases;

beforeEach(async () => {
  dataSource = new DataSource({ type: 'sqljs', entities: [StepCount, UserCount, LastStep], synchronize: true });
  await dataSource.initialize();
  const database = new PermitStatisticsDatabase(dataSource);
  projection = new PermitStatisticsProjection(database, {} as Subscriptions);
  statistics = new PermitStatistics(database);
  changed = new ChangedCases(database);
});

afterEach(() => dataSource.destroy());

const step = (activity: string): Step => ({ activity, taskId: '', transition: '', group: '', doneAt: '2011-10-11' });
const begin = () => new CaseReceived({} as CaseFacts, step('Begin'));
const end = () => new StepDone(step('End'));
const at = (second: number) => new Date(Date.UTC(2024, 4, 1, 10, 0, second));

/** What one user does for a case, a step a millisecond. */
function stepsOf(caseId: string, second: number, userId: string, ...events: readonly object[]): RecordedHistory {
  return recorded(PermitCase, caseId, events, { at: at(second), metadata: { userId } });
}

describe('the cases that changed last', () => {
  it('are shown with their last steps, the latest first, and stay so when events come again', async () => {
    const events = [
      stepsOf('case-1', 1, 'Ada', begin()),
      stepsOf('case-2', 2, 'Bob', begin()),
      stepsOf('case-1', 3, 'Cy', end()),
      stepsOf('case-3', 2, 'Ada', begin()),
    ];
    const expected = [
      { caseId: 'case-1', version: 2, step: 'End', user: 'Cy', storedAt: at(3).toISOString() },
      { caseId: 'case-2', version: 1, step: 'Begin', user: 'Bob', storedAt: at(2).toISOString() },
      { caseId: 'case-3', version: 1, step: 'Begin', user: 'Ada', storedAt: at(2).toISOString() },
    ];

    const outcome = givenProjection(projection).when(events);
    await outcome;
    expect(await changed.last()).toEqual(expected);
    await outcome.redelivered();
    expect(await changed.last()).toEqual(expected);
  });

  it('do not go back to an earlier step that comes again alone', async () => {
    const first = stepsOf('case-1', 1, 'Ada', begin());
    await givenProjection(projection).when([first, stepsOf('case-1', 2, 'Bob', end())]);
    await givenProjection(projection).when([first]);

    expect(await changed.last()).toMatchObject([{ caseId: 'case-1', version: 2, step: 'End', user: 'Bob' }]);
  });

  it('are ten at most', async () => {
    const cases = Array.from({ length: 12 }, (_, index) => `case-${index}`);
    await givenProjection(projection).when(cases.map((id, index) => stepsOf(id, index, 'Ada', begin())));

    expect((await changed.last()).map(({ caseId }) => caseId)).toEqual(cases.toReversed().slice(0, 10));
  });
});

describe('the transaction of an event', () => {
  /** Lets the next transaction fail that saves a row of a table, when it has saved it. */
  function failOnceAt(table: Class): void {
    let failed = false;
    const fail = () => {
      if (failed) return;
      failed = true;
      throw new Error('The disk is full.');
    };
    dataSource.subscribers.push({ listenTo: () => table, afterInsert: fail, afterUpdate: fail });
  }

  it.each([{ table: LastStep }, { table: StepCount }, { table: UserCount }])(
    'that fails at $table.name counts the event exactly once when it comes again',
    async ({ table }) => {
      const first = stepsOf('case-1', 1, 'Ada', begin());
      await givenProjection(projection).when([first]);
      const before = [await statistics.all(), await changed.last()];
      failOnceAt(table);

      const failing = givenProjection(projection, [first])
        .when([stepsOf('case-1', 2, 'Ada', end())])
        .thenThrows('The disk is full.');
      await failing;
      expect([await statistics.all(), await changed.last()]).toEqual(before);
      await failing.redelivered().thenNothing();

      expect(await statistics.all()).toEqual({
        cases: 1,
        steps: [
          { step: 'Begin', times: 1 },
          { step: 'End', times: 1 },
        ],
        users: [{ user: 'Ada', times: 2 }],
      });
      expect(await changed.last()).toMatchObject([{ caseId: 'case-1', version: 2, step: 'End' }]);
    },
  );

  it('saves by the manager of its transaction alone', async () => {
    // SQLite has one connection, so that what another manager saves is undone as well. On a server it would stay.
    const outside = jest.spyOn(dataSource.manager, 'save');
    await givenProjection(projection).when([stepsOf('case-1', 1, 'Ada', begin(), end())]);

    expect(await statistics.all()).toMatchObject({ users: [{ user: 'Ada', times: 2 }] });
    expect(outside).not.toHaveBeenCalled();
  });
});
