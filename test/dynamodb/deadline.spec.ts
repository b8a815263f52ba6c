import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Deadline, Wait } from '../../src/dynamodb/deadline.js';
import { OperationAbortedError } from '../../src/index.js';

afterEach(() => {
  jest.restoreAllMocks();
});

async function timeOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

describe('a deadline', () => {
  it('waits at least half of a ceiling that doubles, for what needs its time', async () => {
    const random = jest.spyOn(Math, 'random').mockReturnValue(0);
    expect(await timeOf(() => Deadline.after(5000).pause(3))).toBeGreaterThan(95);
    random.mockReturnValue(0.999);
    const longest: number[] = [];
    for (let tries = 0; tries < 3; tries++) longest.push(await timeOf(() => Deadline.after(5000).pause(3)));
    expect(Math.min(...longest)).toBeGreaterThan(190);
    expect(Math.min(...longest)).toBeLessThan(350);
  });

  it('waits a random part of that ceiling, for its turn', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    let shortest = Infinity;
    for (let tries = 0; tries < 5; tries++)
      shortest = Math.min(shortest, await timeOf(() => Deadline.after(5000).backoff(10)));
    expect(shortest).toBeLessThan(50);
  });

  it('waits no longer than it lasts, nor than its signal', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    expect(await timeOf(() => Deadline.after(60).backoff(10))).toBeLessThan(500);
    const controller = new AbortController();
    const deadline = Deadline.after(5000, controller.signal);
    setTimeout(() => controller.abort(), 20);
    expect(await timeOf(() => deadline.backoff(10))).toBeLessThan(500);
    expect(deadline.isAborted).toBe(true);
    expect(() => deadline.throwIfAborted()).toThrow(OperationAbortedError);
    expect(Deadline.after(5000).isAborted).toBe(false);
  });

  it('gives what is ready in time, and what stands for it when that is late', async () => {
    expect(await Deadline.after(5000).over(Promise.resolve('ready'), () => 'late')).toBe('ready');
    expect(await Deadline.after(10).over(new Promise<string>(() => {}), () => 'late')).toBe('late');
    await expect(Deadline.after(5000).over(Promise.reject(new RangeError()), () => 'late')).rejects.toThrow(RangeError);
  });

  it('waits for nothing longer than its signal', async () => {
    const never = new Promise<string>(() => {});
    const controller = new AbortController();
    const ended = Deadline.after(20_000, controller.signal).over(never, () => 'late');
    controller.abort('gone');
    await expect(ended).rejects.toThrow(OperationAbortedError);
    await expect(ended).rejects.toMatchObject({ cause: 'gone' });
    const before = Deadline.after(20_000, AbortSignal.abort());
    await expect(before.over(never, () => 'late')).rejects.toThrow(OperationAbortedError);
    // What fails later is nobody's concern any more, and no unhandled rejection.
    const fails = new Promise<string>((_, reject) => void setTimeout(() => reject(new RangeError()), 10));
    await expect(before.over(fails, () => 'late')).rejects.toThrow(OperationAbortedError);
    await new Promise((resolve) => void setTimeout(resolve, 30));
  });

  it('leaves an attempt half of what is left, and never less than is of use', () => {
    const { attemptMs } = Deadline.after(1000);
    expect(attemptMs).toBeGreaterThan(450);
    expect(attemptMs).toBeLessThanOrEqual(500);
    expect(Deadline.after(60).attemptMs).toBe(50);
    expect(Deadline.after(60).isNear).toBe(false);
    expect(Deadline.after(40).isNear).toBe(true);
    expect(Deadline.after(40).attemptMs).toBeLessThanOrEqual(40);
    expect(Deadline.after(-5).remainingMs).toBe(0);
  });
});

describe('the wait of a read', () => {
  it('begins anew with each event, or ends with one deadline for all', () => {
    const anew = Wait.of(1000);
    const first = anew.deadline;
    anew.renew();
    expect(anew.deadline).not.toBe(first);
    const once = Wait.of(1000, { deadlineFor: 'read' });
    const only = once.deadline;
    once.renew();
    expect(once.deadline).toBe(only);
    const { signal } = new AbortController();
    expect(Wait.of(1000, { signal }).deadline.signal).toBe(signal);
  });
});
