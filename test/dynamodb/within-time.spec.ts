import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { WaitOverError, withinTime } from '../../src/dynamodb/within-time.js';

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a request', () => {
  const unheard = () => new Promise<string>(() => {});

  it('is what it becomes in time', async () => {
    const { signal } = new AbortController();
    expect(await withinTime(5000, async () => 'ready', signal)).toBe('ready');
    await expect(withinTime(5000, () => Promise.reject(new RangeError()), signal)).rejects.toThrow(RangeError);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('is over when its time is up, whether it listens or not', async () => {
    const signals: AbortSignal[] = [];
    const over = withinTime(20, (signal) => {
      signals.push(signal);
      return unheard();
    });
    await expect(over).rejects.toThrow(WaitOverError);
    await expect(over).rejects.toMatchObject({ name: 'TimeoutError', message: 'No answer in 20 ms.' });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('is over when its caller ends it, or has ended it before', async () => {
    const controller = new AbortController();
    const over = withinTime(20_000, unheard, controller.signal);
    controller.abort();
    await expect(over).rejects.toMatchObject({ name: 'AbortError' });
    await expect(withinTime(20_000, unheard, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('keeps the process until then, and no longer', async () => {
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const timer = () => timers.mock.results[0]!.value as NodeJS.Timeout;
    const cleared = jest.spyOn(globalThis, 'clearTimeout');
    await withinTime(5000, async () => {
      expect(timer().hasRef()).toBe(true);
    });
    expect(cleared).toHaveBeenCalledWith(timer());
  });
});
