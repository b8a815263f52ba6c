import { describe, expect, it } from '@jest/globals';
import type { AppendRecord, AppendOutcome, ReadRecord, SeenEvent } from './history.js';
import { historyViolations } from './history-violations.js';

describe('the violations of a history', () => {
  it('are none where all was in order', () => {
    const appends = [append('a', 1, 2, ack(2), 2), append('b', 3, 6, ack(3)), append('x', 4, 7, { kind: 'unknown' })];
    const reads = [
      read(1, 2, []),
      read(2, 4, ['a', 'a']),
      read(4, 5, ['a', 'a', 'b']),
      backward(7, 8, ['a', 'a', 'b', 'x']),
    ];
    expect(historyViolations({ appends, reads })).toEqual([]);
  });

  it('name a stale read', () => {
    const appends = [append('a', 1, 2, ack(1)), append('b', 3, 4, ack(2))];
    expectOne({ appends, reads: [read(5, 6, ['a', 'b']), read(5, 7, ['a'])] }, /up to version 1, is stale: b was/);
  });

  it('name an acknowledged write that is lost', () => {
    const appends = [append('a', 1, 2, ack(1)), append('b', 3, 4, ack(2))];
    expectOne({ appends, reads: [read(5, 6, ['a'])] }, /b was acknowledged and is lost/);
  });

  it('name versions against the order of time', () => {
    const appends = [append('a', 1, 2, ack(2)), append('b', 3, 4, ack(1))];
    expectOne({ appends, reads: [] }, /b has version 1, and was begun after a was acknowledged for version 2/);
  });

  it('name a version that a read had shown before its commit was begun', () => {
    const appends = [append('a', 1, 9, { kind: 'unknown' }), append('b', 5, 6, ack(1))];
    const reads = [read(2, 3, ['a'])];
    expect(historyViolations({ appends, reads })).toContainEqual(
      expect.stringMatching(/b has version 1, and was begun after the read of 2 to 3, up to version 1, had shown/),
    );
  });

  it('name half a commit', () => {
    const appends = [append('a', 1, 9, { kind: 'unknown' }, 3)];
    expectOne({ appends, reads: [read(2, 3, ['a', 'a'])] }, /shows half a commit: 2 of the 3 events of a/);
    expectOne({ appends, reads: [backward(2, 3, ['a', 'a'])] }, /shows half a commit/);
  });

  it('name half a commit between others', () => {
    const appends = [append('a', 1, 9, { kind: 'unknown' }, 2), append('b', 1, 9, { kind: 'unknown' })];
    expectOne({ appends, reads: [read(2, 3, ['a', 'b'])] }, /shows half a commit: 1 of the 2 events of a/);
  });

  it('name a refused write that is seen', () => {
    const appends = [append('a', 1, 2, { kind: 'refused' })];
    expectOne({ appends, reads: [read(3, 4, ['a'])] }, /shows a, which was refused/);
  });

  it('name a gap', () => {
    const appends = [append('a', 1, 9, { kind: 'unknown' }), append('b', 1, 9, { kind: 'unknown' })];
    const reads = [{ ...read(2, 3, []), seen: [event('a', 1), event('b', 3)] }];
    expectOne({ appends, reads }, /shows version 3 in place 2/);
  });

  it('name a commit that is stored twice', () => {
    const appends = [append('a', 1, 2, ack(1))];
    const seen = [event('a', 1), event('a', 2)];
    expect(historyViolations({ appends, reads: [{ ...read(3, 4, []), seen }] })).toContainEqual(
      expect.stringMatching(/shows event 0 of a out of its place, at version 2/),
    );
  });

  it('name reads that go back', () => {
    const appends = [append('a', 1, 9, { kind: 'unknown' })];
    expectOne({ appends, reads: [read(2, 3, ['a']), read(4, 5, [])] }, /the read of 4 to 5, .* goes back/);
  });

  it('name an event that became another', () => {
    const appends = [append('a', 1, 9, { kind: 'unknown' }), append('b', 1, 9, { kind: 'unknown' })];
    expectOne(
      { appends, reads: [read(2, 4, ['a']), read(3, 5, ['b'])] },
      /version 1 is event 0 of a in one read, and of b in another/,
    );
  });

  it('name a version that two were acknowledged for', () => {
    const appends = [append('a', 1, 3, ack(1)), append('b', 2, 4, ack(1))];
    expectOne({ appends, reads: [] }, /a and b were both acknowledged for version 1/);
  });

  it('name a write at other versions than it was acknowledged for', () => {
    const appends = [append('a', 1, 2, ack(2)), append('b', 1, 9, { kind: 'unknown' })];
    expectOne({ appends, reads: [read(3, 4, ['a', 'b'])] }, /shows a from version 1, and it was acknowledged from/);
  });

  it('name what nobody wrote, and what was seen too early', () => {
    const appends = [append('a', 5, 6, { kind: 'unknown' })];
    expectOne({ appends: [], reads: [read(3, 4, ['a'])] }, /shows a, which nobody wrote/);
    expect(historyViolations({ appends, reads: [read(3, 4, ['a'])] })).toContainEqual(
      expect.stringMatching(/shows a before it was written/),
    );
  });

  it('name a conflict that nobody won', () => {
    const refused = append('b', 3, 4, { kind: 'refused', takenAfter: 1 });
    const first = append('a', 1, 2, ack(1));
    expectOne({ appends: [first, refused], reads: [read(5, 6, ['a'])] }, /b was refused, as if another had version 2/);
    const winner = append('c', 3, 6, ack(2));
    expect(historyViolations({ appends: [first, refused, winner], reads: [read(7, 8, ['a', 'c'])] })).toEqual([]);
  });
});

function expectOne(history: { appends: AppendRecord[]; reads: ReadRecord[] }, pattern: RegExp): void {
  expect(historyViolations(history)).toEqual([expect.stringMatching(pattern)]);
}

function ack(lastVersion: number): AppendOutcome {
  return { kind: 'acknowledged', lastVersion };
}

function append(commit: string, invoked: number, ended: number, outcome: AppendOutcome, size = 1): AppendRecord {
  return { stream: 's', commit, size, invoked: BigInt(invoked), ended: BigInt(ended), outcome };
}

/** Reads the events of these commits, from version 1 on. */
function read(started: number, ended: number, commits: readonly string[]): ReadRecord {
  const seen = commits.map((commit, position) => event(commit, position + 1, position - commits.indexOf(commit)));
  return { stream: 's', by: 'read', started: BigInt(started), ended: BigInt(ended), seen };
}

function backward(started: number, ended: number, commits: readonly string[]): ReadRecord {
  const forward = read(started, ended, commits);
  return { ...forward, by: 'backward read', seen: forward.seen.toReversed() };
}

function event(commit: string, version: number, index = 0): SeenEvent {
  return { commit, version, index };
}
