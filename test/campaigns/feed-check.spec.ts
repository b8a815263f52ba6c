import { expect, it } from '@jest/globals';
import { feedCheck } from './feed-check.js';

const SIZE = { aggregates: 300, lateOnceIn: 100, lateMs: 60_000, skewMs: 5000 };

it.each([
  { source: 'feed', events: 6000, seconds: 2, pace: 60 },
  // Not faster: a read that fails waits as long at any pace, and what a stream tells later than the backtracking comes again
  // to who has taken over.
  { source: 'streams', events: 4000, seconds: 3, pace: 40 },
  { source: 'lambda', events: 4000, seconds: 1, pace: 120 },
])(
  'delivers all events in order, by $source',
  async ({ events, ...size }) => {
    const { figures, violations } = await feedCheck.run(
      { ...SIZE, ...size, events },
      { endpoint: '', seed: 5, progress: () => {} },
    );
    expect(violations).toEqual([]);
    expect(figures).toMatchObject({ events, delivered: events, again: 0 });
  },
  60_000,
);
