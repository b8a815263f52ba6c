import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { positionAt } from '../../src/store/event-feed.js';
import { progressOf } from '../../src/subscription/subscription-status.js';
import type { SubscriptionRun } from '../../src/subscription/subscription-run.js';

describe('the progress of a rebuild', () => {
  const now = Date.UTC(2026, 2, 1);
  const rebuild = { generation: 2, startedAt: now - 10_000, total: 100 };

  beforeEach(() => {
    jest.spyOn(Date, 'now').mockReturnValue(now);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** Two slices, one of which another process reads. */
  function runWith(own: number, others: number): SubscriptionRun {
    const checkpoint = { settled: positionAt(0), lead: positionAt(now), recent: {}, handled: others };
    return {
      partitions: ['one', 'other'],
      placeOf: (partition: string) => (partition === 'one' ? { lead: positionAt(now), handled: own } : undefined),
      leases: {
        all: async () => new Map([['slice#other', { id: 'slice#other', revision: 1, value: { checkpoint } }]]),
      },
    } as unknown as SubscriptionRun;
  }

  it.each([
    [30, 10, undefined, { handled: 40, eventsPerSecond: 4, remainingSeconds: 15 }],
    [30, 10, { at: now - 2000, handled: 20 }, { handled: 40, eventsPerSecond: 10, remainingSeconds: 6 }],
    [90, 20, undefined, { handled: 110, eventsPerSecond: 11, remainingSeconds: 0 }],
  ])('has a speed and the time that is left by it: %s and %s handled', async (own, others, before, expected) => {
    expect(await progressOf(runWith(own, others), rebuild, 1000, before)).toMatchObject({ ...expected, total: 100 });
  });

  it('tells no time while nothing moves', async () => {
    const progress = await progressOf(runWith(20, 20), rebuild, 1000, { at: now, handled: 40 });
    expect(progress.eventsPerSecond).toBe(0);
    expect(progress).not.toHaveProperty('remainingSeconds');
  });
});
