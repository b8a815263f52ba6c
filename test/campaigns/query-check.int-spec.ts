import { describe, expect, it } from '@jest/globals';
import { queryCheck } from './query-check.js';

describe('a query of a small log', () => {
  const stage = { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 1, progress: () => {} };
  const small = { ...queryCheck.defaults, events: 400, aggregates: 40, pagedEvents: 300, pageOf: 40 };

  it.each(['', 'tenant#1'])(
    'has its order, its set and its bounds, for tenant "%s"',
    async (tenant) => {
      const { figures, violations } = await queryCheck.run({ ...small, tenant }, stage);
      expect(violations).toEqual([]);
      expect(figures).toMatchObject({
        slices: 4,
        'requests before the first event': 4,
        'requests by user': 1,
        pages: 8,
      });
    },
    120_000,
  );
});
