import { beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryBookkeeping } from '../../src/store/in-memory-bookkeeping.js';
import { checkpointAt, LeaseLostError, leaseOf, Leases, type HeldLease } from '../../src/subscription/leases.js';

const [early, late] = [checkpointAt(1000), checkpointAt(2000)];

describe('the lease of a slice', () => {
  let leases: Leases;

  const take = async (owner: string, ...alive: readonly string[]) =>
    (await leases.take(['slice'], 1, owner, async () => new Set(alive)))[0];
  const kept = async () => leaseOf(await leases.all(), 'slice');

  beforeEach(() => {
    leases = new Leases(new InMemoryBookkeeping(), 'seen');
  });

  it('is not taken from who is alive', async () => {
    await take('one');
    expect(await take('other', 'one', 'other')).toBeUndefined();
    expect(await kept()).toEqual({ owner: 'one' });
  });

  describe('that another process has taken', () => {
    let [before, now]: (HeldLease | undefined)[] = [];

    beforeEach(async () => {
      before = await take('one');
      await before!.save(early);
      now = await take('other', 'other');
    });

    it('goes on from the checkpoint that was kept last', () => {
      expect(now!.checkpoint).toEqual(early);
    });

    it.each(['save', 'release'] as const)('fences off the one before: it cannot %s a checkpoint', async (what) => {
      await expect(before![what](late)).rejects.toThrow(LeaseLostError);
      expect(await kept()).toEqual({ owner: 'other', checkpoint: early });
      await now!.save(late);
      expect(await kept()).toEqual({ owner: 'other', checkpoint: late });
    });

    it('stays lost for the one before, though it comes free again', async () => {
      await expect(before!.save(late)).rejects.toThrow(LeaseLostError);
      await now!.release(early);
      await expect(before!.save(late)).rejects.toThrow(LeaseLostError);
      expect(await kept()).toEqual({ checkpoint: early });
    });
  });

  it('is lost by a reset, and begins anew from there', async () => {
    const held = await take('one');
    await held!.save(late);
    await leases.reset(['slice'], early);
    await expect(held!.save(late)).rejects.toThrow(LeaseLostError);
    expect((await take('other', 'one'))!.checkpoint).toEqual(early);
  });
});
