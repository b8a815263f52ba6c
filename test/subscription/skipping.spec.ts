import { beforeEach, describe, expect, it } from '@jest/globals';
import { CorruptStreamError, EventStoreUnavailableError } from '../../src/index.js';
import { OnePartition } from '../sources/one-partition.js';

type Process = Awaited<ReturnType<OnePartition['newProcess']>>;

/** The first has lost the partition to the second, and does not know it yet. */
describe('a skipped event that two processes have', () => {
  let world: OnePartition;
  let first: Process;
  let second: Process;

  beforeEach(async () => {
    world = new OnePartition(4);
    [first, second] = [await world.newProcess('skip'), await world.newProcess('skip')];
  });

  /** Nothing can be read from the table while this runs. */
  async function withoutTable(run: () => Promise<void>): Promise<void> {
    const { readStream } = world.feed;
    world.feed.readStream = () => {
      throw new CorruptStreamError('A hole.');
    };
    await run();
    world.feed.readStream = readStream;
  }

  it('is stored when it is retried, and only then, where the other handles it after it was parked', async () => {
    first.view.failsAt = [2];
    await first.deliver(1, 2);
    await second.deliver(1, 2, 3);
    expect(world.stored).toEqual([1, 3]);
    await second.retry();
    expect(world.stored).toEqual([1, 3, 2]);
    expect(await world.parked()).toEqual([]);
  });

  it.each([2, 3])('is not stored again where the other has handled it, and all up to version %s', async (last) => {
    first.view.failsAt = [2];
    await first.deliver(1);
    await second.deliver(...[1, 2, 3].slice(0, last));
    await first.deliver(2);
    first.view.failsAt = [];
    await first.retry();
    expect(world.stored).toEqual([1, 2, 3].slice(0, last));
    expect(await world.parked()).toEqual([]);
  });

  it('is stored when it is retried where both have parked it', async () => {
    first.view.failsAt = second.view.failsAt = [2];
    await first.deliver(1, 2, 3);
    await second.deliver(1, 2, 3);
    expect(await world.parked()).toEqual([2]);
    second.view.failsAt = [];
    await second.retry();
    await first.retry();
    expect(world.stored).toEqual([1, 3, 2]);
  });

  it('is parked anew where it fails when it is retried', async () => {
    first.view.failsAt = [2];
    await first.deliver(1, 2, 3);
    await first.retry();
    expect(await world.parked()).toEqual([2]);
    first.view.failsAt = [];
    await first.retry();
    expect(world.stored).toEqual([1, 3, 2]);
    expect(await world.parked()).toEqual([]);
  });

  it('is stored with those before it that could not be read, but for those that the other has stored', async () => {
    await first.deliver(1);
    await second.deliver(1, 2);
    await withoutTable(() => first.deliverAfterGap(2, 4));
    await second.deliver(3, 4);
    expect(world.stored).toEqual([1, 2]);
    await second.retry();
    expect(world.stored).toEqual([1, 2, 3, 4]);
  });

  it('is stored but once where the answer to its parking was lost', async () => {
    await first.deliver(1);
    await second.deliver(1, 2);
    const { bookkeeping } = world;
    const project = bookkeeping.project.bind(bookkeeping);
    let isLost = false;
    bookkeeping.project = async (positions, writes, entry) => {
      const outcome = await project(positions, writes, entry);
      if (!entry || outcome.kind !== 'stored' || isLost) return outcome;
      isLost = true;
      throw new EventStoreUnavailableError('No answer.');
    };
    await withoutTable(() => first.deliverAfterGap(2, 4));
    expect(isLost).toBe(true);
    await second.retry();
    expect(world.stored).toEqual([1, 2, 3, 4]);
  });

  it('is stored with those before it where only the first could not read those', async () => {
    await first.deliver(1);
    await withoutTable(() => first.deliverAfterGap(2, 4));
    second.view.failsAt = [4];
    await second.deliver(1, 2, 3, 4);
    second.view.failsAt = [];
    await second.retry();
    expect(world.stored).toEqual([1, 2, 3, 4]);
  });

  it('is stored where it fails among others that could not be read before', async () => {
    await first.deliver(1);
    await withoutTable(() => first.deliverAfterGap(2, 4));
    first.view.failsAt = [3];
    await first.retry();
    expect(world.stored).toEqual([1, 2, 4]);
    first.view.failsAt = [];
    await first.retry();
    expect(world.stored).toEqual([1, 2, 4, 3]);
    expect(await world.parked()).toEqual([]);
  });

  it('is nothing to which a delivery goes back', async () => {
    first.view.failsAt = [2];
    await first.deliver(1, 2, 3);
    first.view.failsAt = [];
    await first.retry();
    expect(first.lastHandled()).toBeUndefined();
  });
});

describe('a parked event of a projection whose policy was changed', () => {
  it.each(['skip', 'stop-subscription'] as const)('holds up its aggregate until it is settled: now %s', async (now) => {
    const world = new OnePartition(5);
    const before = await world.newProcess('stop-aggregate');
    before.view.failsAt = [2];
    await before.deliver(1, 2, 3, 4);
    const after = await world.newProcess(now);
    after.view.failsAt = [2];
    await after.retry();
    expect(world.stored).toEqual([1]);
    const restarted = await world.newProcess(now);
    await restarted.deliver(5);
    expect(world.stored).toEqual([1]);
    await restarted.retry();
    expect(world.stored).toEqual([1, 2, 3, 4, 5]);
    expect(await world.parked()).toEqual([]);
  });

  it('does not let others go on that are held up now, where it had been skipped', async () => {
    const world = new OnePartition(8);
    const before = await world.newProcess('skip');
    before.view.failsAt = [2];
    await before.deliver(1, 2, 3, 4);
    const after = await world.newProcess('stop-aggregate');
    after.view.failsAt = [5];
    await after.deliver(5, 6, 7);
    after.view.failsAt = [];
    await after.retry(2);
    expect(world.stored).toEqual([1, 3, 4, 2]);
    await after.deliver(8);
    await after.retry(5);
    expect(world.stored).toEqual([1, 3, 4, 2, 5, 6, 7, 8]);
    expect(await world.parked()).toEqual([]);
  });
});
