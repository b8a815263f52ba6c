import { expect, it } from '@jest/globals';
import { viewTorture } from './view-torture.js';

it('keeps a view exactly, though its processes are killed, hang and meet faults', async () => {
  const stage = { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 3, progress: () => {} };
  const options = {
    ...viewTorture.defaults,
    events: 150,
    counters: 15,
    workers: 2,
    deadlineMs: 1000,
    leaseMs: 1000,
    backtrackMs: 2000,
  };
  const { figures, violations } = await viewTorture.run({ ...options, killEveryMs: 1000 }, stage);
  expect(violations).toEqual([]);
  expect(figures['faults injected']).toBeGreaterThan(10);
  expect(Number(figures.kills) + Number(figures.hangs)).toBeGreaterThan(0);
  expect(figures['checkpoints checked']).toBeGreaterThan(20);
}, 120_000);
