import { describe, expect, it } from '@jest/globals';
import { torture } from './torture.js';

describe('a little torture', () => {
  const stage = { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 1, progress: () => {} };
  const options = { ...torture.defaults, writers: 6, accounts: 20, hot: 0.3 };

  it('breaks nothing in one process', async () => {
    const { figures, violations } = await torture.run({ ...options, commands: 90, processes: 1 }, stage);
    expect(violations).toEqual([]);
    expect(figures.acknowledged).toBeGreaterThan(40);
    expect(figures.refused).toBeGreaterThan(0);
    expect(figures['conflicts retried']).toBeGreaterThan(0);
    expect(figures.events).toBeGreaterThan(90);
  }, 120_000);

  it('breaks nothing in two processes behind a faulty network', async () => {
    const many = { ...options, commands: 220, processes: 2, writers: 12, accounts: 40 };
    const faulty = { ...many, faults: 0.15, outages: 0.03, deadlineMs: 600 };
    const { figures, violations } = await torture.run(faulty, stage);
    expect(violations).toEqual([]);
    expect(figures.acknowledged).toBeGreaterThan(40);
    expect(figures.unknown).toBeGreaterThan(0);
    expect(figures['faults injected']).toBeGreaterThan(150);
  }, 120_000);
});
