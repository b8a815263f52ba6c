import { describe, expect, it } from '@jest/globals';
import { torture } from './torture.js';
import { outcomeVerdict, verdict } from './torture/verdict.js';

const stage = { endpoint: process.env.DYNAMODB_ENDPOINT!, seed: 11, progress: () => {} };
const small = { ...torture.defaults, accounts: 20 };

describe('concurrency torture', () => {
  it('breaks nothing in one process', async () => {
    const { figures, violations } = await torture.run({ ...small, commands: 300, processes: 1 }, stage);
    expect(violations).toEqual([]);
    expect(figures).toMatchObject({ commands: 300, untyped: 0, unknown: 0 });
    expect(figures.acknowledged).toBeGreaterThan(150);
    expect(figures.events).toBeGreaterThan(500);
  }, 120_000);

  it('breaks nothing in several processes under faults', async () => {
    const { figures, violations } = await torture.run({ ...small, commands: 300, processes: 2, faults: 0.15 }, stage);
    expect(violations).toEqual([]);
    expect(figures).toMatchObject({ commands: 300, untyped: 0 });
    expect(figures.acknowledged).toBeGreaterThan(100);
    expect(figures.faults).toBeGreaterThan(50);
  }, 120_000);
});

describe('the verdict on a command', () => {
  const bookings = { a: [-5], b: [2, 3] };
  const stored = (amounts: Record<string, number[]>, ...commitIds: string[]) => ({
    amounts: new Map(Object.entries(amounts)),
    commitIds: new Set(commitIds),
  });
  const whole = stored(bookings, 'c');

  it('is silent when what was said is so', () => {
    expect(verdict({ key: 'k', bookings, said: 'acknowledged' }, whole)).toBeUndefined();
    expect(verdict({ key: 'k', bookings, said: 'refused' }, undefined)).toBeUndefined();
    expect(verdict({ key: 'k', bookings, said: 'unknown' }, whole)).toBeUndefined();
    expect(verdict({ key: 'k', bookings, said: 'unknown' }, undefined)).toBeUndefined();
    expect(outcomeVerdict('k', 'stored', true)).toBeUndefined();
    expect(outcomeVerdict('k', 'undecided', false)).toBeUndefined();
  });

  it.each([
    ['lost', 'acknowledged', undefined],
    ['stored after a refusal', 'refused', whole],
    ['doubled', 'acknowledged', stored({ a: [-5, -5], b: [2, 3, 2, 3] }, 'c', 'd')],
    ['doubled in one commit', 'acknowledged', stored({ a: [-5, -5], b: [2, 3] }, 'c')],
    ['torn', 'unknown', stored({ a: [-5] }, 'c')],
    ['in two commits', 'acknowledged', stored(bookings, 'c', 'd')],
    ['answered by an error of no type', 'untyped', undefined],
  ] as const)('names one that is %s', (_, said, found) => {
    expect(verdict({ key: 'the-key', bookings, said }, found)).toContain('the-key');
  });

  it('names an outcome that is not so', () => {
    expect(outcomeVerdict('the-key', 'not-stored', true)).toContain('the-key');
    expect(outcomeVerdict('the-key', 'undecided', true)).toContain('the-key');
    expect(outcomeVerdict('the-key', 'stored', false)).toContain('the-key');
  });
});
