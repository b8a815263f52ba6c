import { expect, it } from '@jest/globals';
import { repeats } from './repeats.js';

it('carries out each of some repeated commands once, under faults and kills', async () => {
  const stage = { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 3, progress: () => {} };
  const options = { ...repeats.defaults, commands: 60, processes: 2, depots: 8, deadlineMs: 800, kills: 2 };
  const { figures, violations } = await repeats.run(options, stage);
  expect(violations).toEqual([]);
  expect(figures.acknowledgements).toBeGreaterThanOrEqual(120);
  expect(figures.kills).toBeGreaterThan(0);
  expect(figures['faults injected']).toBeGreaterThan(10);
}, 120_000);
