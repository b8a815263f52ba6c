import { expect, it } from '@jest/globals';
import { modelCheck } from './model-check.js';

it('the store in DynamoDB does what the store in memory does, whatever the commands', async () => {
  const { figures, violations } = await modelCheck.run(
    { ...modelCheck.defaults, runs: 20 },
    { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 11, progress: () => {} },
  );
  expect(violations).toEqual([]);
  expect(figures.runs).toBe(20);
  for (const kind of ['append', 'commit', 'save held', 'command', 'load', 'read', 'snapshots damaged', 'restarts']) {
    expect([kind, figures[kind]]).toEqual([kind, expect.any(Number)]);
    expect(Number(figures[kind])).toBeGreaterThan(0);
  }
}, 120_000);
