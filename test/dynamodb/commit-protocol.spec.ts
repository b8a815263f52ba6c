import { describe, expect, it } from '@jest/globals';
import { EventStoreUnavailableError, OperationAbortedError } from '../../src/index.js';
import type { AppendRequest } from '../../src/dynamodb/append-request.js';
import { writeCommit, type CommitPlaces } from '../../src/dynamodb/commit-protocol.js';
import { Deadline } from '../../src/dynamodb/deadline.js';
import type { FailureKind } from '../../src/dynamodb/failure.js';
import { WriteFailure, type Sender } from '../../src/dynamodb/sender.js';

const PUT: AppendRequest = { kind: 'put', input: { TableName: 'events', Item: {}, ReturnConsumedCapacity: 'TOTAL' } };
const [OURS, THEIRS] = ['ours', 'theirs'];
const item = (commitId: string) => ({ commitId: { S: commitId }, eventId: { S: `event of ${commitId}` } });

const fails = (kind: FailureKind, error: object) => new WriteFailure(error, kind);
const lost = fails('unknown', { name: 'TimeoutError' });
const busy = fails('not-applied', { name: 'ThrottlingException' });
const invalid = fails('rejected', { name: 'ValidationException', $fault: 'client' });
const taken = (Item?: object) => fails('rejected', { name: 'ConditionalCheckFailedException', ...(Item && { Item }) });
const cancelled = (...reasons: readonly (string | { Code: string; Item: object } | undefined)[]) =>
  fails('rejected', {
    name: 'TransactionCanceledException',
    CancellationReasons: reasons.map((reason) => (typeof reason === 'object' ? reason : { Code: reason })),
  });

/** What becomes of a commit whose attempts end like this, one after the other, and then well. */
function decide(failures: readonly WriteFailure[], given: Partial<CommitPlaces> = {}, deadline = Deadline.after(5000)) {
  let attempts = 0;
  const sender: Pick<Sender, 'write'> = {
    write: async () => {
      const failure = failures[attempts++];
      if (failure) throw failure;
    },
  };
  let reads = 0;
  const places: CommitPlaces = {
    proofOf: () => ({ position: 0, identity: { commitId: OURS!, eventId: `event of ${OURS}` } }),
    staysTaken: () => true,
    ...given,
    holderOf: async (position) => {
      reads++;
      return given.holderOf?.(position);
    },
  };
  const outcome = writeCommit(sender as Sender, PUT, places, deadline);
  return Object.assign(
    outcome.then((value) => ({ ...value, attempts, reads })),
    { attempts: () => attempts },
  );
}

describe('a commit is stored', () => {
  it('at once', async () => expect(await decide([])).toEqual({ kind: 'stored', attempts: 1, reads: 0 }));

  it('when a repeated request finds its own event', async () => {
    expect(await decide([lost, taken(item(OURS!))])).toEqual({ kind: 'stored', attempts: 2, reads: 0 });
  });

  it('when its own event is read where the refusal showed none', async () => {
    const holderOf = async () => ({ commitId: OURS!, eventId: `event of ${OURS}` });
    expect(await decide([lost, taken()], { holderOf })).toEqual({ kind: 'stored', attempts: 2, reads: 1 });
  });

  it('when it was busy before', async () => {
    expect(await decide([busy, cancelled('TransactionConflict', 'None', undefined)])).toMatchObject({
      kind: 'stored',
      attempts: 3,
    });
  });

  it.each(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])(
    'when it was cancelled before for %s, which passes',
    async (reason) => {
      expect(await decide([cancelled('None', reason)])).toMatchObject({ kind: 'stored', attempts: 2 });
    },
  );
});

describe('a commit conflicts', () => {
  const other = async () => ({ commitId: THEIRS!, eventId: `event of ${THEIRS}` });

  it.each([
    ['another has its place', [taken(item(THEIRS!))], 0],
    ['another has it after a lost answer', [lost, taken(item(THEIRS!))], 0],
    ['its own commitId was used before, for another event', [taken({ ...item(THEIRS!), commitId: { S: OURS } })], 0],
    ['its own event is known by another commitId', [taken({ ...item(OURS!), commitId: { S: THEIRS } })], 0],
    ['what is there has no names', [taken({})], 0],
  ])('when %s', async (_, failures, reads) => {
    expect(await decide(failures, { holderOf: other })).toMatchObject({ kind: 'conflict', taken: 0, reads });
  });

  it('when another is read where the refusal showed none', async () => {
    expect(await decide([taken()], { holderOf: other })).toMatchObject({ kind: 'conflict', taken: 0, reads: 1 });
    expect(await decide([taken()])).toMatchObject({ kind: 'conflict', taken: 0, reads: 1 });
  });

  it('at the first place that is taken', async () => {
    const refusal = cancelled(
      'None',
      { Code: 'ConditionalCheckFailed', Item: item(THEIRS!) },
      'ConditionalCheckFailed',
    );
    expect(await decide([refusal])).toMatchObject({ kind: 'conflict', taken: 1, reads: 0 });
  });

  it('at a place that proves nothing, whatever is there', async () => {
    const places = { proofOf: () => undefined, staysTaken: () => false };
    expect(await decide([taken(item(OURS!))], places)).toMatchObject({ kind: 'conflict', taken: 0, reads: 0 });
  });
});

describe('the outcome of a commit is unknown', () => {
  it('when its place is taken by what may be free again, after a lost answer', async () => {
    const staysTaken = () => false;
    const outcome = await decide([lost, taken(item(THEIRS!))], { staysTaken });
    expect(outcome).toMatchObject({ kind: 'unknown', lastFailure: 'ConditionalCheckFailedException' });
    expect(await decide([taken(item(THEIRS!))], { staysTaken })).toMatchObject({ kind: 'conflict' });
  });

  it('when it cannot be read whose the place is', async () => {
    const holderOf = () => Promise.reject(Object.assign(new Error(), { name: 'Unread' }));
    expect(await decide([taken()], { holderOf })).toMatchObject({ kind: 'unknown', lastFailure: 'Unread' });
  });

  it.each([
    ['by validation', invalid, 'ValidationException'],
    [
      'by one reason of several',
      cancelled('None', 'ValidationError'),
      'TransactionCanceledException (ValidationError)',
    ],
  ])('when it is refused %s after a lost answer', async (_, refusal, lastFailure) => {
    expect(await decide([lost, refusal])).toMatchObject({ kind: 'unknown', lastFailure, attempts: 2 });
  });

  it('when the deadline passes after a lost answer, also where the last attempt was not applied', async () => {
    const failures = Array.from({ length: 100 }, (_, attempt) => (attempt === 0 ? lost : busy));
    const outcome = await decide(failures, {}, Deadline.after(800));
    expect(outcome).toMatchObject({ kind: 'unknown', lastFailure: 'ThrottlingException' });
    expect(outcome.attempts).toBeGreaterThan(1);
  });

  it('when the caller gives up after a lost answer', async () => {
    const controller = new AbortController();
    const holder = decide([lost, lost, lost], {}, Deadline.after(5000, controller.signal));
    controller.abort();
    expect(await holder).toMatchObject({ kind: 'unknown', attempts: 1 });
  });
});

describe('a commit was not stored', () => {
  it('when it is refused at once, with the name of its table', async () => {
    await expect(decide([invalid])).rejects.toThrow('table "events" was refused with ValidationException');
    await expect(decide([cancelled('ValidationError')])).rejects.toThrow(EventStoreUnavailableError);
  });

  it('when the deadline passes while it is busy', async () => {
    const failures = Array.from({ length: 100 }, () => busy);
    await expect(decide(failures, {}, Deadline.after(120))).rejects.toThrow('last failure: ThrottlingException');
  });

  it('when the caller gives up before or while it is busy', async () => {
    const before = decide([], {}, Deadline.after(5000, AbortSignal.abort()));
    await expect(before).rejects.toThrow(OperationAbortedError);
    expect(before.attempts()).toBe(0);
    const controller = new AbortController();
    const during = decide([busy, busy], {}, Deadline.after(5000, controller.signal));
    controller.abort();
    await expect(during).rejects.toThrow(OperationAbortedError);
  });

  it('when something else is wrong, which is thrown as it is', async () => {
    const wrong = new RangeError('a mistake');
    await expect(decide([wrong as unknown as WriteFailure])).rejects.toBe(wrong);
  });
});
