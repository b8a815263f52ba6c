import { describe, expect, it } from '@jest/globals';
import { subscriptionTiming } from '../../src/nest/subscription-timing.js';

describe('the timing of subscriptions', () => {
  const pace = { marginMs: 1000, pollMs: 500 };

  it('goes back behind the time at which a commit may be stored last', () => {
    const backtrackMs = (deadlineMs: number) => {
      return subscriptionTiming({ storage: 'dynamodb', deadlineMs, subscriptions: {} }, pace).backtrackMs;
    };
    expect([10_000, 60_000, 60_000.5, 300_000].map(backtrackMs)).toEqual([120_000, 120_000, 120_001, 360_000]);
  });

  it('is what it is told to be', () => {
    const subscriptions = { backtrackMs: 5000, leaseMs: 7000, marginMs: 70, pollMs: 9 };
    const settings = { storage: 'dynamodb' as const, deadlineMs: 300_000, subscriptions };
    expect(subscriptionTiming(settings, pace)).toEqual(subscriptions);
  });
});
