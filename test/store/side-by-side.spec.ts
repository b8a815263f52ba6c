import { describe, expect, it } from '@jest/globals';
import { sideBySide } from '../../src/store/side-by-side.js';

describe('work side by side', () => {
  it('gives the results in the order of the items, whichever ends first', async () => {
    const end: (() => void)[] = [];
    const running = sideBySide([0, 1, 2], 3, async (item) => {
      await new Promise<void>((resolve) => (end[item] = resolve));
      return `done ${item}`;
    });
    for (const each of end.toReversed()) each();
    expect(await running).toEqual(['done 0', 'done 1', 'done 2']);
    expect(await sideBySide([], 3, async () => 1)).toEqual([]);
  });

  it('has as many under way as is said, and no more', async () => {
    let [running, most, done] = [0, 0, 0];
    const items = Array.from({ length: 10 }, (_, index) => index);
    await sideBySide(items, 4, async () => {
      most = Math.max(most, ++running);
      done++;
      await new Promise(setImmediate);
      running--;
    });
    expect([most, done]).toEqual([4, 10]);
  });

  it('begins nothing new behind a failure, and ends when all that was under way has', async () => {
    const begun: number[] = [];
    let slowHasEnded = false;
    let endSlow = () => {};
    const running = sideBySide([0, 1, 2, 3, 4], 2, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('the second');
      await new Promise<void>((resolve) => (endSlow = resolve));
      slowHasEnded = true;
    });
    const ended = expect(running).rejects.toThrow('the second');
    await new Promise(setImmediate);
    expect(slowHasEnded).toBe(false);
    endSlow();
    await ended;
    expect(slowHasEnded).toBe(true);
    expect(begun).toEqual([0, 1]);
  });
});
