import { describe, expect, it } from '@jest/globals';
import { historyCheck } from './history-check.js';

describe('a short history', () => {
  const stage = { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 1, progress: () => {} };

  it('is explained by one order of events, over several clients of one process', async () => {
    const options = { ...historyCheck.defaults, operations: 110, processes: 1, writers: 6, streams: 3 };
    const { figures, violations } = await historyCheck.run(options, stage);
    expect(violations).toEqual([]);
    for (const figure of ['acknowledged', 'refused', 'reads', 'backward reads', 'loads']) {
      expect(figures[figure]).toBeGreaterThan(5);
    }
  }, 120_000);

  it('is explained by one order of events, over two processes behind a faulty network', async () => {
    const options = { ...historyCheck.defaults, operations: 110, faults: 0.15, outages: 0.01, deadlineMs: 600 };
    const { figures, violations } = await historyCheck.run(options, stage);
    expect(violations).toEqual([]);
    expect(figures.acknowledged).toBeGreaterThan(5);
    expect(figures.reads).toBeGreaterThan(5);
    expect(figures['faults injected']).toBeGreaterThan(20);
  }, 120_000);
});
