import { expect, it } from '@jest/globals';
import { feedCheck } from './feed-check.js';

it('delivers all events in order from a feed that shows them late', async () => {
  const { figures, violations } = await feedCheck.run(
    { events: 10_000, aggregates: 300, seconds: 3, lateOnceIn: 100, lateMs: 60_000, skewMs: 5000, pace: 60 },
    { endpoint: '', seed: 5, progress: () => {} },
  );
  expect(violations).toEqual([]);
  expect(figures).toMatchObject({ events: 10_000, delivered: 10_000 });
}, 60_000);
