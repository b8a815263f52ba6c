import { describe, expect, it } from '@jest/globals';
import type { SentCommand } from './journal.js';
import type { StoredEntry } from './stored-ledgers.js';
import { judge } from './verdict.js';

const transfer: SentCommand = {
  key: 'w0-1',
  expected: { 'plain/a': [5], 'inline/b': [-5, 2] },
  outcome: 'acknowledged',
  settled: false,
  from: 1000,
  to: 1010,
};

let ids = 0;
const booked = (version: number, key: string, amount: number, commitId = 'c1'): StoredEntry => ({
  version,
  key,
  amount,
  commitId,
  eventId: `e${ids++}`,
});

const whole = () =>
  new Map([
    ['plain/a', [booked(1, 'w0-1', 5)]],
    ['inline/b', [booked(1, 'w0-1', -5), booked(2, 'w0-1', 2)]],
  ]);

const judged = (command: Partial<SentCommand>, streams: Map<string, StoredEntry[]>, kills: number[] = []) =>
  judge(
    [{ ...transfer, ...command }],
    streams,
    kills.map((from) => ({ from, to: from + 3000 })),
  );

describe('the verdict on a command', () => {
  it('is good when it was acknowledged and is there', () => {
    expect(judged({}, whole())).toMatchObject({ lost: 0, violations: [] });
  });

  it.each(['unheard', 'unknown'] as const)('leaves both ways open when its outcome is %s', (outcome) => {
    expect(judged({ outcome }, whole())).toMatchObject({ unacknowledgedButStored: 1, violations: [] });
    expect(judged({ outcome }, new Map())).toMatchObject({ unacknowledgedButStored: 0, violations: [] });
  });

  it.each(['refused', 'not-stored'] as const)('is bad when it was %s and is there', (outcome) => {
    expect(judged({ outcome }, whole()).violations).toEqual([expect.stringContaining('and is.')]);
    expect(judged({ outcome }, new Map()).violations).toEqual([]);
  });

  it('finds it lost', () => {
    const verdict = judged({}, new Map());
    expect(verdict).toMatchObject({ lost: 1, lostByDatabase: 0 });
    expect(verdict.violations).toEqual([expect.stringContaining('is lost')]);
  });

  it('finds it torn: a stream, an event or the order missing', () => {
    const [a, b] = [...whole()] as [[string, StoredEntry[]], [string, StoredEntry[]]];
    expect(judged({}, new Map([a]))).toMatchObject({ torn: 1 });
    expect(judged({ outcome: 'unheard' }, new Map([a, ['inline/b', [b[1][0]!]]]))).toMatchObject({ torn: 1 });
    const swapped = [booked(1, 'w0-1', 2), booked(2, 'w0-1', -5)];
    expect(judged({}, new Map([a, ['inline/b', swapped]]))).toMatchObject({ torn: 1 });
  });

  it('finds it doubled', () => {
    const streams = whole();
    streams.get('plain/a')!.push(booked(2, 'w0-1', 5, 'c2'));
    expect(judged({}, streams)).toMatchObject({ doubled: 1, violations: [expect.stringContaining('twice')] });
  });

  it('does not blame the package for a transaction that the killed database forgot, and for no more than that', () => {
    expect(judged({}, new Map(), [1200])).toMatchObject({ lost: 0, lostByDatabase: 1, violations: [] });
    expect(judged({}, new Map(), [1600])).toMatchObject({ lost: 1, lostByDatabase: 0 });
    expect(judged({ expected: { 'plain/a': [5] } }, new Map(), [1200])).toMatchObject({ lost: 1 });
  });

  it('takes the word of a database that has come back', () => {
    const lost = { lost: 1, lostByDatabase: 0, violations: [expect.stringContaining('is lost')] };
    const heardLate = judged({ to: 1600 }, new Map(), [1200]);
    expect(heardLate).toMatchObject({ lost: 0, lostByDatabase: 1, violations: [] });
    expect(judged({ to: 4100 }, new Map(), [1200])).toMatchObject(lost);
    expect(judged({ from: 4000, to: 4100 }, new Map(), [1200])).toMatchObject(lost);
  });
});

describe('the verdict on streams', () => {
  const hole = () => new Map([['plain/a', [booked(2, 'w0-2', 5)]]]);
  const kill = { from: 1200, to: 4000 };
  const other: SentCommand = { ...transfer, key: 'w0-2', expected: { 'plain/a': [5] } };

  it('finds a hole', () => {
    expect(judge([other], hole(), []).violations).toEqual([expect.stringContaining('not dense')]);
  });

  it('counts a hole that the killed database made apart', () => {
    const verdict = judge([other, transfer], hole(), [kill]);
    expect(verdict).toMatchObject({ holesByDatabase: 1, violations: [] });
  });

  it.each(['unheard', 'unknown', 'not-stored'] as const)(
    'allows for a hole of one that was %s at the kill',
    (outcome) => {
      const verdict = (sent: Partial<SentCommand>) => judge([other, { ...transfer, ...sent, outcome }], hole(), [kill]);
      expect(verdict({})).toMatchObject({ holesByDatabase: 1, violations: [] });
      expect(verdict({ from: 900, to: 4100 })).toMatchObject({ holesByDatabase: 1, violations: [] });
      expect(verdict({ from: 500, to: 600 }).violations).toEqual([expect.stringContaining('not dense')]);
      expect(verdict({ from: 3000, to: 4100 }).violations).toEqual([expect.stringContaining('not dense')]);
    },
  );

  it('allows for no hole of one that was refused', () => {
    const refused = { ...transfer, outcome: 'refused' as const, error: 'ConcurrencyError' };
    const verdict = judge([other, refused], hole(), [kill]);
    expect(verdict.violations).toEqual([expect.stringContaining('not dense')]);
    expect([...verdict.shaken]).toEqual([]);
  });

  it('finds events that nobody meant to store, and ids that stand twice', () => {
    expect(judge([], hole(), []).violations).toEqual([
      expect.stringContaining('without an intent'),
      expect.stringContaining('not dense'),
    ]);
    const entry = booked(1, 'w0-2', 5);
    const streams = new Map([['plain/a', [entry, { ...entry, version: 2 }]]]);
    expect(judge([other], streams, []).violations).toContainEqual(expect.stringContaining(`event ${entry.eventId}`));
  });

  it('takes no error for granted', () => {
    const refused = { ...transfer, outcome: 'refused' as const, error: 'CorruptStreamError' };
    expect(judge([refused], new Map(), []).violations).toEqual([expect.stringContaining('CorruptStreamError')]);
    expect(judge([refused], new Map(), [kill]).violations).toHaveLength(1);
    expect(judge([refused, { ...transfer, key: 'w0-2' }], new Map(), [kill]).violations).toEqual([]);
    expect(judge([{ ...refused, error: 'TypeError' }], new Map(), []).violations).toHaveLength(1);
  });
});
