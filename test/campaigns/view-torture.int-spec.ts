import { expect, it } from '@jest/globals';
import { viewTorture } from './view-torture.js';

it('keeps a view exactly, though its processes are killed, hang and meet faults', async () => {
  const stage = { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 3, progress: () => {} };
  const options = { ...viewTorture.defaults, events: 300, counters: 30, workers: 2, deadlineMs: 1000, leaseMs: 1000 };
  const { figures, violations } = await viewTorture.run({ ...options, killEveryMs: 1500 }, stage);
  expect(violations).toEqual([]);
  expect(figures['faults injected']).toBeGreaterThan(10);
}, 120_000);
