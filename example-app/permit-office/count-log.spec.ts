import { expect, it } from '@jest/globals';
import { countLog } from './count-log.js';
import type { LogRow, UnusableRow } from './log-row.js';

const row = (line: number, caseId: string, responsible: string, user: string, activity: string) =>
  ({ line, caseId, user, facts: { responsible }, step: { activity } }) as LogRow;

async function* rows(): AsyncGenerator<LogRow | UnusableRow> {
  yield row(2, 'b', 'Ada', 'u-1', 'Begin');
  yield row(3, 'a', '', 'u-2', 'Begin');
  yield { line: 4, fault: 'broken' };
  yield row(5, 'b', 'Bob', 'u-1', 'End');
  yield row(6, 'b', 'Ada', 'u-3', 'End');
}

it('counts cases, steps and users, without the rows that were skipped', async () => {
  expect(await countLog(rows(), new Set([6]))).toEqual({
    cases: new Map([
      ['b', { responsible: 'Ada', steps: 2, lastStep: 'End', lastUser: 'u-1' }],
      ['a', { responsible: '', steps: 1, lastStep: 'Begin', lastUser: 'u-2' }],
    ]),
    steps: new Map([
      ['Begin', 2],
      ['End', 1],
    ]),
    users: new Map([
      ['u-1', 2],
      ['u-2', 1],
    ]),
  });
});
