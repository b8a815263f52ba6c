import { expect, it } from '@jest/globals';
import { faultMatrix } from './fault-matrix.js';

it('tells the truth whatever fault a request meets', async () => {
  const { figures, violations } = await faultMatrix.run(
    { ...faultMatrix.defaults, cells: 60, pairs: 15, parallel: 8, marginMs: 1500 },
    { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 7, progress: () => {} },
  );
  expect(violations).toEqual([]);
  expect(figures).toMatchObject({ cells: 60, pairs: 15 });
  for (const seen of ['ok', 'typedErrors', 'conflicts', 'slowestMs']) {
    expect({ [seen]: figures[seen] }).not.toEqual({ [seen]: 0 });
  }
}, 120_000);
