import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CommandContext,
  CommitTooLargeError,
  ConcurrencyError,
  DuplicateCommandError,
  EventRegistry,
  EventType,
  InvalidCommitError,
  InvalidEventError,
  NO_STREAM,
  UniqueConstraintError,
  type Commit,
  type EventStore,
  type IdempotencyRecord,
  type StreamAppend,
  type StreamId,
  type UniqueChange,
} from '../../src/index.js';
import { collect } from '../setup/collect.js';
import type { OpenStore } from './event-store-contract.js';

@EventType('bookkeeping.Renamed')
class Renamed {
  constructor(readonly count: number) {}
}

const HOUR_MS = 3_600_000;

/** What every store promises of idempotency keys and unique values, which are stored in the transaction of the events. */
export function bookkeepingContract(name: string, open: OpenStore): void {
  describe(`${name} keeps the contract of what is stored along with events`, () => {
    let store: EventStore;
    let close: () => Promise<void>;

    beforeAll(async () => {
      ({ store, close } = await open(new EventRegistry().register(Renamed)));
    });

    afterAll(() => close());

    const newStream = (tenantId?: string): StreamId => ({
      ...(tenantId !== undefined && { tenantId }),
      aggregateType: 'user',
      aggregateId: randomUUID(),
    });
    const append = (stream: StreamId, expectedVersion = NO_STREAM): StreamAppend => ({
      stream,
      events: [new Renamed(1)],
      expectedVersion,
    });
    const versionOf = async (stream: StreamId) => (await collect(store.read(stream))).length;

    describe('idempotency keys', () => {
      const record = (given: Partial<IdempotencyRecord> = {}): IdempotencyRecord => ({
        command: 'Rename',
        key: randomUUID(),
        fingerprint: 'f-1',
        result: '{"result":5}',
        expiresAt: Math.ceil((Date.now() + HOUR_MS) / 1000) * 1000,
        ...given,
      });

      it('stores a record along with the events, and gives it back', async () => {
        const [stream, kept] = [newStream(), record()];
        expect(await store.findIdempotencyRecord(kept)).toBeUndefined();
        await store.commit({ appends: [append(stream)], idempotency: kept });
        expect(await store.findIdempotencyRecord({ command: 'Rename', key: kept.key })).toMatchObject(kept);
      });

      it('stores a record without any event, and compressed results', async () => {
        const kept = record({ result: new Uint8Array([1, 2, 255]) });
        const { commitId, appended } = await store.commit({ appends: [], idempotency: kept });
        expect(appended).toEqual([]);
        expect(await store.findIdempotencyRecord(kept)).toMatchObject({ ...kept, result: expect.anything() });
        expect([...((await store.findIdempotencyRecord(kept))!.result as Uint8Array)]).toEqual([1, 2, 255]);
        expect(await store.outcomeOf({ commitId, appends: [], idempotency: kept })).toBe('stored');
        expect(await store.outcomeOf({ commitId: 'other', appends: [], idempotency: kept })).toBe('not-stored');
      });

      it('refuses the events of a second commit with the key, also where it lost its race as well', async () => {
        const [first, second, kept] = [newStream(), newStream(), record()];
        await store.commit({ appends: [append(first)], idempotency: kept });
        for (const stream of [second, first]) {
          const appends = [{ ...append(stream), loadedHead: { version: 0, eventTime: 0 } }];
          const attempt = store.commit({ appends, idempotency: { ...kept, fingerprint: 'f-2' } });
          await expect(attempt).rejects.toThrow(DuplicateCommandError);
          await expect(attempt).rejects.toMatchObject({ idempotency: { key: kept.key }, reason: 'carried-out' });
        }
        expect([await versionOf(first), await versionOf(second)]).toEqual([1, 0]);
        expect((await store.findIdempotencyRecord(kept))!.fingerprint).toBe('f-1');
      });

      it('keeps no record of a commit that lost its race', async () => {
        const [stream, kept] = [newStream(), record()];
        await store.commit({ appends: [append(stream)] });
        const attempt = store.commit({ appends: [append(stream)], idempotency: kept });
        await expect(attempt).rejects.toThrow(ConcurrencyError);
        expect(await store.findIdempotencyRecord(kept)).toBeUndefined();
      });

      it('takes a key anew when its time is over', async () => {
        const kept = record({ expiresAt: Date.now() - 1000 });
        await store.commit({ appends: [append(newStream())], idempotency: kept });
        expect(await store.findIdempotencyRecord(kept)).toBeUndefined();
        await store.commit({
          appends: [append(newStream())],
          idempotency: { ...kept, expiresAt: Date.now() + HOUR_MS },
        });
        expect(await store.findIdempotencyRecord(kept)).toBeDefined();
      });

      it('keeps keys of tenants, kinds of commands and look-alikes apart', async () => {
        const names = [
          { command: 'a', key: 'b#c' },
          { command: 'a#b', key: 'c' },
          { command: 'a%23b', key: 'c' },
          { tenantId: 't', command: 'a', key: 'b#c' },
          { tenantId: 't#a', command: 'b', key: 'c' },
          { tenantId: 'command', command: 'a', key: 'c' },
        ];
        for (const [index, each] of names.entries()) {
          await store.commit({ appends: [], idempotency: { ...record({ fingerprint: String(index) }), ...each } });
        }
        for (const [index, each] of names.entries()) {
          expect((await store.findIdempotencyRecord(each))?.fingerprint).toBe(String(index));
        }
      });

      it('refuses a key behind a commitId that was used before', async () => {
        const [first, second, kept] = [newStream(), newStream(), record()];
        const commitId = randomUUID();
        await store.commit({ commitId, appends: [append(first)], idempotency: kept });
        const others = [
          { appends: [append(second)], idempotency: kept },
          { appends: [], idempotency: record(kept) },
        ];
        for (const other of others) {
          const idempotency = { ...other.idempotency, fingerprint: 'f-2' };
          await expect(store.commit({ ...other, commitId, idempotency })).rejects.toThrow(DuplicateCommandError);
        }
        expect(await versionOf(second)).toBe(0);
      });

      it('takes the tenant of the context, and names it in a refusal', async () => {
        const kept = record();
        const { command, key } = kept;
        const commit = () => store.commit({ appends: [], idempotency: kept });
        await CommandContext.run({ tenantId: 'ctx' }, commit);
        expect(await store.findIdempotencyRecord(kept)).toBeUndefined();
        expect(await store.findIdempotencyRecord({ ...kept, tenantId: 'ctx' })).toBeDefined();
        const refused = await CommandContext.run({ tenantId: 'ctx' }, commit).catch((error: unknown) => error);
        expect((refused as DuplicateCommandError).idempotency).toStrictEqual({ tenantId: 'ctx', command, key });
        await commit();
        const again = await commit().catch((error: unknown) => error);
        expect((again as DuplicateCommandError).idempotency).toStrictEqual({ command, key });
      });

      it('takes a key of 255 characters', async () => {
        const kept = record({ key: `${randomUUID()}-`.padEnd(255, 'x') });
        await store.commit({ appends: [], idempotency: kept });
        expect(await store.findIdempotencyRecord(kept)).toBeDefined();
      });

      it.each(['', 'x'.repeat(256), 'a\ud800', 5 as unknown as string])('refuses %p as a key', async (key) => {
        const attempt = store.commit({ appends: [], idempotency: record({ key }) });
        await expect(attempt).rejects.toThrow(InvalidEventError);
        await expect(attempt).rejects.toMatchObject({ violations: [expect.stringMatching(/^key \(/)] });
        await expect(store.findIdempotencyRecord({ command: 'c', key })).rejects.toThrow(InvalidEventError);
      });

      it('lets exactly one of ten commits at once in', async () => {
        const kept = record();
        const streams = Array.from({ length: 10 }, () => newStream());
        const attempts = streams.map((stream) => store.commit({ appends: [append(stream)], idempotency: kept }));
        const outcomes = await Promise.allSettled(attempts);
        const refusals = outcomes.flatMap((outcome) =>
          outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
        );
        expect(refusals).toHaveLength(9);
        for (const refusal of refusals) expect(refusal).toBeInstanceOf(DuplicateCommandError);
        const versions = await Promise.all(streams.map(versionOf));
        expect(versions.reduce((sum, version) => sum + version, 0)).toBe(1);
      });
    });

    describe('unique values', () => {
      const change = (action: 'reserve' | 'release', stream: StreamId, value: string, constraint = 'email') =>
        ({ action, stream, value, constraint }) satisfies UniqueChange;
      const email = () => `${randomUUID()}@example.com`;
      const versions = new Map<string, number>();

      /** Commits an event to each stream along with changes of values. */
      async function commit(...changes: UniqueChange[]): Promise<void> {
        const streams = [...new Map(changes.map(({ stream }) => [stream.aggregateId, stream])).values()];
        const appends = streams.map((stream) => append(stream, versions.get(stream.aggregateId) ?? 0));
        const { appended } = await store.commit({ appends, unique: changes } satisfies Commit);
        for (const { stream, version } of appended) versions.set(stream.aggregateId, version);
      }

      it('belong to one aggregate at a time, and nothing of a refused commit is stored', async () => {
        const [ada, ben, value] = [newStream(), newStream(), email()];
        await commit(change('reserve', ada, value));
        const attempt = commit(change('reserve', ben, value));
        await expect(attempt).rejects.toThrow(UniqueConstraintError);
        await expect(attempt).rejects.toMatchObject({ constraint: 'email', stream: ben });
        await expect(attempt).rejects.toThrow(/^((?!example\.com).)*$/s);
        expect(await versionOf(ben)).toBe(0);
      });

      it('belong to one aggregate also behind a commitId that was used before', async () => {
        const [ada, ben, value] = [newStream(), newStream(), email()];
        const commitId = randomUUID();
        await store.commit({ commitId, appends: [append(ada)], unique: [change('reserve', ada, value)] });
        const attempt = store.commit({ commitId, appends: [append(ben)], unique: [change('reserve', ben, value)] });
        await expect(attempt).rejects.toThrow(UniqueConstraintError);
        expect(await versionOf(ben)).toBe(0);
      });

      it('may be taken again by who has them, and by another when they are free', async () => {
        const [ada, ben, value] = [newStream(), newStream(), email()];
        await commit(change('reserve', ada, value));
        await commit(change('reserve', ada, value));
        await commit(change('release', ada, value));
        await commit(change('release', ada, value));
        await commit(change('reserve', ben, value));
        await expect(commit(change('reserve', ada, value))).rejects.toThrow(UniqueConstraintError);
      });

      it.each([
        ['released first', true],
        ['released last', false],
      ])('pass from one aggregate to another in one commit, %s', async (_, releasedFirst) => {
        const [ada, ben, cy, value] = [newStream(), newStream(), newStream(), email()];
        await commit(change('reserve', ada, value));
        const changes = [change('release', ada, value), change('reserve', ben, value)];
        await commit(...(releasedFirst ? changes : changes.toReversed()));
        await expect(commit(change('reserve', cy, value))).rejects.toThrow(UniqueConstraintError);
        await expect(commit(change('reserve', ada, value))).rejects.toThrow(UniqueConstraintError);
        await commit(change('reserve', ben, value));
      });

      it('cannot be given free by an aggregate that does not hold them', async () => {
        const [ada, ben, value] = [newStream(), newStream(), email()];
        await commit(change('reserve', ada, value));
        const refused = await commit(change('release', ben, value)).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(UniqueConstraintError);
        expect(refused).toMatchObject({ action: 'release', message: expect.stringContaining('cannot release') });
        const stolen = commit(change('release', ben, value), change('reserve', newStream(), value));
        await expect(stolen).rejects.toThrow(/cannot have .* Choose another value/);
      });

      it('are what the last change of one aggregate says', async () => {
        const [ada, ben, value] = [newStream(), newStream(), email()];
        await commit(change('reserve', ada, value), change('release', ada, value));
        await commit(change('reserve', ben, value));
        await commit(change('release', ben, value), change('reserve', ben, value));
        await expect(commit(change('reserve', ada, value))).rejects.toThrow(UniqueConstraintError);
      });

      it('cannot be wanted by two aggregates of one commit', async () => {
        const value = email();
        const attempt = commit(change('reserve', newStream(), value), change('reserve', newStream(), value));
        await expect(attempt).rejects.toThrow(UniqueConstraintError);
      });

      it('of other names, tenants or cases have nothing to do with each other', async () => {
        const value = email();
        await commit(change('reserve', newStream(), value));
        await commit(change('reserve', newStream(), value, 'login'));
        await commit(change('reserve', newStream(), value.toUpperCase()));
        await commit(change('reserve', newStream('a'), value));
        await commit(change('reserve', newStream('b'), value));
        await commit(change('reserve', newStream(), 'x', 'a#b'), change('reserve', newStream(), 'b#x', 'a'));
        await commit(change('reserve', newStream(), 'x'.repeat(100_000)));
      });

      it('let exactly one of ten aggregates at once have them', async () => {
        const value = email();
        const attempts = Array.from({ length: 10 }, () => commit(change('reserve', newStream(), value)));
        const outcomes = await Promise.allSettled(attempts);
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(UniqueConstraintError);
        }
      });

      it('do not hide that the race for the stream itself was lost', async () => {
        const [ada, value] = [newStream(), email()];
        await commit(change('reserve', ada, value));
        const ben = newStream();
        await commit(change('reserve', ben, email()));
        const stale = { ...append(ben), loadedHead: { version: 0, eventTime: 0 } };
        const attempt = store.commit({ appends: [stale], unique: [change('reserve', ben, value)] });
        await expect(attempt).rejects.toThrow(ConcurrencyError);
      });

      it('need an event of each aggregate that they go from and to', async () => {
        const [ada, ben, value] = [newStream(), newStream(), email()];
        await commit(change('reserve', ada, value));
        const changes = [change('release', ada, value), change('reserve', ben, value)];
        const attempt = store.commit({ appends: [append(ben)], unique: changes });
        await expect(attempt).rejects.toThrow(InvalidCommitError);
        expect(await versionOf(ben)).toBe(0);
      });

      it('are those of the tenant in the context', async () => {
        const [ada, ben, value] = [newStream(), newStream(), email()];
        await CommandContext.run({ tenantId: 'ctx' }, () => commit(change('reserve', ada, value)));
        await commit(change('reserve', ben, value));
        const attempt = commit(change('reserve', newStream('ctx'), value));
        await expect(attempt).rejects.toThrow(UniqueConstraintError);
        await expect(commit(change('reserve', newStream(), value))).rejects.toThrow(UniqueConstraintError);
      });

      it('need an event of their aggregate, and count in the limit of a commit', async () => {
        const [ada, ben] = [newStream(), newStream()];
        const alone = store.commit({ appends: [append(ada)], unique: [change('reserve', ben, email())] });
        await expect(alone).rejects.toThrow(InvalidCommitError);
        const events = Array.from({ length: 99 }, (_, index) => new Renamed(index));
        const tooMany = store.commit({
          appends: [{ stream: ada, events, expectedVersion: 0 }],
          unique: [change('reserve', ada, email()), change('reserve', ada, email())],
        });
        await expect(tooMany).rejects.toThrow(CommitTooLargeError);
        await store.commit({
          appends: [{ stream: ada, events, expectedVersion: 0 }],
          unique: [change('reserve', ada, email())],
        });
      });

      it.each(['', 'a\ud800', 5 as unknown as string])('refuses %p as a value or a name', async (text) => {
        const attempt = commit(change('reserve', newStream(), text));
        await expect(attempt).rejects.toThrow(InvalidEventError);
        await expect(attempt).rejects.toMatchObject({ violations: [expect.stringMatching(/^value \(/)] });
        await expect(commit(change('reserve', newStream(), 'x', text))).rejects.toThrow(InvalidCommitError);
      });
    });
  });
}
