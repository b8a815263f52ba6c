import { expect, it } from '@jest/globals';
import { fuzz } from './fuzz.js';

it('every payload comes back identical, or is refused with nothing written', async () => {
  const { figures, violations } = await fuzz.run(
    { ...fuzz.defaults, payloads: 250, folders: 'api.github.com' },
    { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 11, progress: () => {} },
  );
  expect(violations).toEqual([]);
  expect(figures.payloads).toBeGreaterThanOrEqual(250);
  expect(figures.webhooks).toBeGreaterThan(300);
  for (const figure of [
    'identical',
    'refused UNSERIALIZABLE_EVENT',
    'refused INVALID_EVENT',
    'changed after the call',
  ]) {
    expect([figure, figures[figure]]).toEqual([figure, expect.any(Number)]);
    expect(Number(figures[figure])).toBeGreaterThan(0);
  }
}, 120_000);
