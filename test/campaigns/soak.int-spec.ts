import { describe, expect, it } from '@jest/globals';
import { soak } from './soak.js';

describe('a short soak', () => {
  it('runs, measures and finds no growth', async () => {
    const { figures, violations } = await soak.run(
      { minutes: 0.1, rate: 60, faults: 0.05 },
      { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 1, progress: () => {} },
    );
    expect(violations).toEqual([]);
    expect(figures.commands).toBeGreaterThan(3);
    expect(Number(figures['heap at the end MB'])).toBeGreaterThan(1);
    expect(figures['descriptors at the end']).toBeGreaterThan(0);
  });
});
