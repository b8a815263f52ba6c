import { expect, it } from '@jest/globals';
import { keyCheck } from './key-check.js';

it('makes no two triples of tenant, type and id share a key', async () => {
  const { figures, violations } = await keyCheck.run(
    { triples: 20_000 },
    { endpoint: '', seed: 1, progress: () => {} },
  );
  expect(violations).toEqual([]);
  expect(figures).toEqual({ triples: 20_000, keys: 20_000 });
});
