import { describe, expect, it } from '@jest/globals';
import { crashTorture } from './crash-torture.js';

describe('crash torture, small', () => {
  it('loses and doubles nothing when writers and the database are killed', async () => {
    const options = { kills: 3, writers: 2, lanes: 4, databaseKillEvery: 3 };
    const { figures, violations } = await crashTorture.run(options, {
      endpoint: process.env.DYNAMODB_ENDPOINT!,
      seed: 7,
      progress: () => {},
    });

    expect(violations).toEqual([]);
    expect(figures).toMatchObject({ lost: 0, doubled: 0, torn: 0 });
    const local = process.env.DYNAMODB_ENDPOINT!.startsWith('http:');
    expect(figures).toMatchObject(local ? { kills: 2, databaseKills: 1 } : { kills: 3, databaseKills: 0 });
    for (const figure of ['acknowledged', 'unheard', 'streams', 'snapshots']) {
      expect(figures[figure]).toBeGreaterThan(0);
    }
  }, 120_000);
});
