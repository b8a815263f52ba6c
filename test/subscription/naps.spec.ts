import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { EventHandler } from '../../src/subscription/event-handler.js';
import { newWorld, PLAN, streamOf } from '../contract/subscription-source-contract.js';
import { until } from '../setup/until.js';
import { SUBSCRIPTION_SOURCES } from '../sources/subscription-source.js';

/** Signals that were made of this one by `AbortSignal.any`, of which Node.js 20 keeps an entry each as long as this one lives. */
function madeOf(signal: AbortSignal): number {
  const dependants = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === 'kDependantSignals',
  );
  return dependants ? ((signal as unknown as Record<symbol, Set<unknown> | undefined>)[dependants]?.size ?? 0) : 0;
}

describe('a subscription with nothing to do', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('leaves nothing behind at what lives as long as it follows, however often it naps', async () => {
    const world = newWorld();
    const signals = new Set<AbortSignal>();
    const handler: EventHandler = {
      batch: 1,
      wants: () => true,
      handle: async (_, signal) => {
        signals.add(signal);
      },
    };
    const shards = jest.spyOn(world.stream, 'shards');
    const reads = jest.spyOn(world.feed, 'read');
    const any = jest.spyOn(AbortSignal, 'any');
    const process = SUBSCRIPTION_SOURCES.streams.start(world, (subscriptions) =>
      subscriptions.add({ ...PLAN, name: 'seen', attempts: 1, poison: 'stop-aggregate' }, handler),
    );
    try {
      for (let id = 0; signals.size < world.feed.partitionsOf().length; id++) {
        world.write(streamOf(`a-${id}`));
        await new Promise(setImmediate);
      }
      reads.mockClear();
      shards.mockClear();
      await until(() => reads.mock.calls.length > 100 && shards.mock.calls.length > 10);
      for (const signal of signals) expect(madeOf(signal)).toBe(0);
      // The one of the follower is nobody else's to look at.
      expect(any).not.toHaveBeenCalled();
    } finally {
      await process.stop();
    }
  });
});
