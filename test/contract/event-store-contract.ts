import { randomBytes, randomUUID } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  ANY_VERSION,
  CommandContext,
  CommitOutcomeUnknownError,
  CommitTooLargeError,
  ConcurrencyError,
  EventRegistrationError,
  EventRegistry,
  EventType,
  InvalidCommitError,
  InvalidEventError,
  InvalidStreamIdError,
  MissingTenantError,
  NO_STREAM,
  OperationAbortedError,
  recordedEventOf,
  UnserializableEventError,
  type Commit,
  type CommitReference,
  type EventStore,
  type ExpectedVersion,
  type RecordedEvent,
  type ReadRange,
  type StreamId,
} from '../../src/index.js';
import type { TenantOptions } from '../../src/store/event-store.js';
import { collect, collectEvents } from '../setup/collect.js';

@EventType('contract.Ticked')
class Ticked {
  constructor(readonly count: number) {}
}

@EventType('contract.Noted')
class Noted {
  constructor(readonly note: unknown) {}
}

@EventType('contract.NotRegistered')
class NotRegistered {}

export type OpenStore = (
  registry: EventRegistry,
  tenants?: TenantOptions,
) => Promise<{ store: EventStore; close(): Promise<void> }>;

/** What every store promises. Each store's own test file runs it. */
export function eventStoreContract(name: string, open: OpenStore): void {
  describe(`${name} keeps the contract of an event store`, () => {
    let store: EventStore;
    let close: () => Promise<void>;

    beforeAll(async () => {
      ({ store, close } = await open(new EventRegistry().register(Ticked, Noted)));
    });

    afterAll(() => close());

    const newStream = (aggregateId: string = randomUUID()): StreamId => ({ aggregateType: 'contract', aggregateId });
    const ticks = (...numbers: number[]) => numbers.map((count) => new Ticked(count));

    async function read(stream: StreamId, range?: ReadRange): Promise<RecordedEvent[]> {
      return collect(store.read(stream, range));
    }

    async function counts(stream: StreamId, range?: ReadRange): Promise<number[]> {
      return (await read(stream, range)).map(({ event }) => (event as Ticked).count);
    }

    describe('append and read', () => {
      it('gives back what was stored: instances, dense versions, growing times and metadata', async () => {
        const stream = newStream();
        const metadata = { userId: 'ada', correlationId: 'c-1', causationId: 'k-1', commandId: 'm-1', ip: '::1' };
        const before = Date.now();
        const result = await store.append(stream, ticks(1, 2), { expectedVersion: NO_STREAM, metadata });
        expect(result).toEqual({ commitId: expect.any(String), appended: [{ stream, version: 2 }] });

        const recorded = await read(stream);
        expect(recorded.map(({ version }) => version)).toEqual([1, 2]);
        for (const [index, each] of recorded.entries()) {
          expect(each.event).toBeInstanceOf(Ticked);
          expect(each.event).toEqual(new Ticked(index + 1));
          expect(each).toMatchObject({
            stream,
            eventType: 'contract.Ticked',
            schemaVersion: 1,
            commitId: result.commitId,
          });
          expect(each.metadata).toEqual(metadata);
          expect(each.eventId).toMatch(/^[0-9a-f-]{36}$/);
        }
        expect(recorded[0]!.eventTime.getTime()).toBeGreaterThanOrEqual(before);
        expect(recorded[1]!.eventTime.getTime()).toBeGreaterThan(recorded[0]!.eventTime.getTime());
        expect(recorded[0]!.eventId).not.toBe(recorded[1]!.eventId);
      });

      it('gives nothing for a stream that is not there', async () => {
        expect(await read(newStream())).toEqual([]);
        expect(await read(newStream(), { direction: 'backward', limit: 1 })).toEqual([]);
      });

      it.each<[ReadRange, number[]]>([
        [{}, [1, 2, 3, 4, 5]],
        [{ direction: 'backward' }, [5, 4, 3, 2, 1]],
        [{ fromVersion: 2, toVersion: 4 }, [2, 3, 4]],
        [{ fromVersion: 2, toVersion: 4, direction: 'backward' }, [4, 3, 2]],
        [{ limit: 2 }, [1, 2]],
        [{ limit: 2, direction: 'backward' }, [5, 4]],
        [{ fromVersion: 4 }, [4, 5]],
        [{ fromVersion: 6 }, []],
        [{ fromVersion: 6, direction: 'backward' }, []],
        [{ toVersion: 99, direction: 'backward', limit: 1 }, [5]],
        [{ toVersion: 0 }, []],
        [{ fromVersion: 3, toVersion: 2 }, []],
        [{ limit: 0 }, []],
        [{ fromVersion: 2, limit: 2 }, [2, 3]],
      ])('reads the range %j', async (range, expected) => {
        const stream = newStream(`ranges-${JSON.stringify(range)}`);
        await store.append(stream, ticks(1, 2, 3), { expectedVersion: NO_STREAM });
        await store.append(stream, ticks(4, 5), { expectedVersion: 3 });
        expect(await counts(stream, range)).toEqual(expected);
      });

      it('reads a stream of several pages in both directions, and behind a snapshot', async () => {
        const stream = newStream();
        const versions = Array.from({ length: 60 }, (_, index) => index + 1);
        for (let from = 0; from < 60; from += 20) {
          const events = versions
            .slice(from, from + 20)
            .map((version) => new Noted({ version, bytes: randomBytes(50_000) }));
          await store.append(stream, events, { expectedVersion: from });
        }
        const seen = (recorded: RecordedEvent[]) =>
          recorded.map(({ event }) => ((event as Noted).note as { version: number }).version);
        expect(seen(await read(stream))).toEqual(versions);
        expect(seen(await read(stream, { direction: 'backward' }))).toEqual(versions.toReversed());
        expect(seen(await read(stream, { fromVersion: 5, limit: 40 }))).toEqual(versions.slice(4, 44));
        expect(seen(await collectEvents((await store.readSinceSnapshot(stream, 100)).events))).toEqual(versions);
        await store.saveSnapshot(stream, { version: 10, eventTime: 1, snapshotVersion: 1, state: '{}' });
        expect(seen(await collectEvents((await store.readSinceSnapshot(stream, 100)).events))).toEqual(
          versions.slice(10),
        );
      });

      it('reads a stream whose pages end between commits', async () => {
        const stream = newStream();
        const versions = [1, 2, 3, 4, 5, 6, 7, 8];
        for (const version of versions) {
          const note = { version, bytes: randomBytes(300_000) };
          await store.append(stream, [new Noted(note)], { expectedVersion: version - 1 });
        }
        const seen = (recorded: RecordedEvent[]) => recorded.map(({ version }) => version);
        expect(seen(await read(stream))).toEqual(versions);
        expect(seen(await read(stream, { direction: 'backward' }))).toEqual(versions.toReversed());
        expect(seen(await collectEvents((await store.readSinceSnapshot(stream, 2)).events))).toEqual(versions);
      });

      it.each<[ReadRange, string]>([
        [{ fromVersion: 1.5 }, 'fromVersion'],
        [{ toVersion: -2 }, 'toVersion'],
        [{ limit: Number.NaN }, 'limit'],
        [{ limit: -1 }, 'limit'],
      ])('refuses %p, which is no whole number', async (range, named) => {
        await expect(read(newStream(), range)).rejects.toThrow(RangeError);
        await expect(read(newStream(), range)).rejects.toThrow(named);
      });

      it('takes Infinity for no bound', async () => {
        const stream = newStream();
        await store.append(stream, ticks(1, 2), { expectedVersion: NO_STREAM });
        expect(await counts(stream, { toVersion: Infinity, limit: Infinity })).toEqual([1, 2]);
      });

      it('lets times grow where the clock stands still, or runs behind', async () => {
        const stream = newStream();
        const clock = jest.spyOn(Date, 'now');
        try {
          clock.mockReturnValue(Date.parse('2030-01-01T00:00:00Z'));
          await store.append(stream, ticks(1, 2), { expectedVersion: NO_STREAM });
          clock.mockReturnValue(Date.parse('2029-01-01T00:00:00Z'));
          await store.append(stream, ticks(3), { expectedVersion: 2 });
        } finally {
          clock.mockRestore();
        }
        expect((await read(stream)).map(({ eventTime }) => eventTime.toISOString())).toEqual([
          '2030-01-01T00:00:00.000Z',
          '2030-01-01T00:00:00.001Z',
          '2030-01-01T00:00:00.002Z',
        ]);
      });

      it('tells the recording of an instance that was stored, and of one that was read', async () => {
        const stream = newStream();
        const event = new Ticked(7);
        await store.append(stream, [event], { expectedVersion: NO_STREAM });
        const [loaded] = await read(stream);
        expect(recordedEventOf(event)).toEqual({ ...loaded, event });
        expect(recordedEventOf(loaded!.event)).toBe(loaded);
        expect(() => recordedEventOf(new Ticked(7))).toThrow('not been recorded');
      });
    });

    describe('expected versions', () => {
      it.each([
        ['NO_STREAM on a stream that exists', NO_STREAM],
        ['a version that has passed', 1],
        ['a version that is not there yet', 3],
        ['a version far ahead', 50],
      ])('refuses %s', async (_, expectedVersion) => {
        const stream = newStream();
        await store.append(stream, ticks(1, 2), { expectedVersion: NO_STREAM });
        const attempt = store.append(stream, ticks(3), { expectedVersion });
        await expect(attempt).rejects.toThrow(ConcurrencyError);
        await expect(attempt).rejects.toMatchObject({ stream, expectedVersion, actualVersion: 2, code: 'CONCURRENCY' });
        expect(await counts(stream)).toEqual([1, 2]);
      });

      it('refuses a number on a stream that is not there', async () => {
        const attempt = store.append(newStream(), ticks(1), { expectedVersion: 4 });
        await expect(attempt).rejects.toMatchObject({ actualVersion: 0 });
      });

      it('takes ANY_VERSION, also by several at once, without a gap or a loss', async () => {
        const stream = newStream();
        await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            store.append(stream, ticks(index, index + 100), { expectedVersion: ANY_VERSION }),
          ),
        );
        const stored = await read(stream);
        expect(stored.map(({ version }) => version)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
        expect(stored.map(({ event }) => (event as Ticked).count).toSorted((a, b) => a - b)).toEqual([
          ...Array.from({ length: 10 }, (_, index) => index),
          ...Array.from({ length: 10 }, (_, index) => index + 100),
        ]);
      });

      it('lets exactly one of several racing appends in', async () => {
        const stream = newStream();
        const results = await Promise.allSettled(
          Array.from({ length: 10 }, (_, index) => store.append(stream, ticks(index), { expectedVersion: NO_STREAM })),
        );
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        expect(await counts(stream)).toEqual([results.findIndex(({ status }) => status === 'fulfilled')]);
      });

      it.each([-1, 1.5, Number.NaN, '1', ''])('refuses %p as a version', async (expectedVersion) => {
        const attempt = store.append(newStream(), ticks(1), { expectedVersion: expectedVersion as number });
        await expect(attempt).rejects.toThrow(InvalidCommitError);
      });
    });

    describe('commits of several streams', () => {
      it('stores all of them under one commitId', async () => {
        const [a, b] = [newStream(), newStream()];
        const { commitId, appended } = await store.commit({
          appends: [
            { stream: a, events: ticks(1, 2), expectedVersion: NO_STREAM },
            { stream: b, events: ticks(3), expectedVersion: NO_STREAM },
          ],
        });
        expect(appended).toEqual([
          { stream: a, version: 2 },
          { stream: b, version: 1 },
        ]);
        const stored = [...(await read(a)), ...(await read(b))];
        expect(stored.map((each) => each.commitId)).toEqual([commitId, commitId, commitId]);
      });

      it('stores none when one of them has moved on', async () => {
        const [a, b] = [newStream(), newStream()];
        await store.append(b, ticks(1), { expectedVersion: NO_STREAM });
        const attempt = store.commit({
          appends: [
            { stream: a, events: ticks(1), expectedVersion: NO_STREAM },
            { stream: b, events: ticks(2), expectedVersion: NO_STREAM },
          ],
        });
        await expect(attempt).rejects.toMatchObject({ stream: b, expectedVersion: 0, actualVersion: 1 });
        expect(await counts(a)).toEqual([]);
        expect(await counts(b)).toEqual([1]);
      });

      it('does nothing without events', async () => {
        const stream = newStream();
        expect((await store.append(stream, [], { expectedVersion: 17 })).appended).toEqual([]);
        expect((await store.commit({ appends: [] })).appended).toEqual([]);
        expect(await read(stream)).toEqual([]);
      });

      it('keeps a commitId of the caller, and refuses one that cannot be a token', async () => {
        const stream = newStream();
        const appends = [{ stream, events: ticks(1), expectedVersion: NO_STREAM }];
        expect((await store.commit({ appends, commitId: 'import-42' })).commitId).toBe('import-42');
        await expect(store.commit({ appends, commitId: 'x'.repeat(37) })).rejects.toThrow(InvalidCommitError);
        await expect(store.commit({ appends, commitId: '' })).rejects.toThrow(InvalidCommitError);
        await expect(store.commit({ appends, commitId: 7 as unknown as string })).rejects.toThrow(InvalidCommitError);
      });

      it('does not take a commitId that was used before for a commit that is stored', async () => {
        const [a, b] = [newStream(), newStream()];
        const commitId = randomUUID();
        const commit = (stream: StreamId, count: number) =>
          store.commit({ commitId, appends: [{ stream, events: ticks(count, count), expectedVersion: NO_STREAM }] });
        await commit(a, 1);
        await expect(commit(a, 2)).rejects.toThrow(ConcurrencyError);
        await commit(b, 3);
        expect([await counts(a), await counts(b)]).toEqual([
          [1, 1],
          [3, 3],
        ]);
      });

      it('leaves a state out that would make the commit too large', async () => {
        const appends = Array.from({ length: 12 }, () => {
          const state = { snapshotVersion: 1, state: randomBytes(370_000).toString('latin1') };
          return { stream: newStream(), events: ticks(1), expectedVersion: NO_STREAM, state };
        });
        expect((await store.commit({ appends })).appended).toHaveLength(12);
      });

      it('refuses one stream twice', async () => {
        const append = { stream: newStream(), events: ticks(1), expectedVersion: NO_STREAM };
        await expect(store.commit({ appends: [append, { ...append }] })).rejects.toThrow(InvalidCommitError);
      });

      it('refuses a loaded head of another version', async () => {
        const loadedHead = { version: 1, eventTime: 1000 };
        const append = { stream: newStream(), events: ticks(1), expectedVersion: NO_STREAM, loadedHead };
        await expect(store.commit({ appends: [append] })).rejects.toThrow(InvalidCommitError);
      });
    });

    describe('limits', () => {
      it('takes 100 events in one commit, and refuses 101', async () => {
        const stream = newStream();
        const events = ticks(...Array.from({ length: 101 }, (_, index) => index));
        const attempt = store.append(stream, events, { expectedVersion: NO_STREAM });
        await expect(attempt).rejects.toThrow(CommitTooLargeError);
        await expect(attempt).rejects.toMatchObject({ size: 101, limit: 100, unit: 'events' });
        await store.append(stream, events.slice(1), { expectedVersion: NO_STREAM });
        expect(await counts(stream)).toHaveLength(100);
      });

      it('refuses an event over 400 KB as stored, and takes one that compresses below', async () => {
        const stream = newStream();
        const attempt = store.append(stream, [new Noted(randomBytes(330_000).toString('base64'))], {
          expectedVersion: NO_STREAM,
        });
        await expect(attempt).resolves.toBeDefined(); // base64 text of 440 KB deflates to 330 KB
        const tooLarge = store.append(stream, [new Noted(randomBytes(420_000).toString('base64'))], {
          expectedVersion: 1,
        });
        await expect(tooLarge).rejects.toMatchObject({
          what: 'The event contract.Noted',
          size: expect.any(Number),
          limit: 409_600,
          unit: 'bytes',
        });
        await store.append(stream, [new Noted('a'.repeat(2_000_000))], { expectedVersion: 1 });
        expect(((await read(stream, { fromVersion: 2 }))[0]!.event as Noted).note).toHaveLength(2_000_000);
      });

      it('refuses a commit over 4 MB as stored', async () => {
        const stream = newStream();
        const events = Array.from({ length: 12 }, () => new Noted(randomBytes(370_000)));
        const attempt = store.append(stream, events, { expectedVersion: NO_STREAM });
        await expect(attempt).rejects.toMatchObject({ what: 'The commit', limit: 4_194_304, unit: 'bytes' });
        expect(await read(stream)).toEqual([]);
      });
    });

    describe('stream ids', () => {
      it.each([
        'plain',
        'with space',
        'a#b',
        'a/b',
        'a%23b',
        '😀',
        'ünïcödé',
        '\u0000',
        '__proto__',
        "' OR 1=1",
        'x'.repeat(1990),
      ])('takes %p', async (aggregateId) => {
        const stream = newStream(aggregateId);
        await store.append(stream, ticks(1), { expectedVersion: NO_STREAM });
        expect((await read(stream))[0]!.stream).toEqual(stream);
      });

      it('keeps look-alikes apart', async () => {
        const lookAlikes: StreamId[] = [
          { aggregateType: 'a#b', aggregateId: 'c' },
          { aggregateType: 'a', aggregateId: 'b#c' },
          { tenantId: 'a', aggregateType: 'b', aggregateId: 'c' },
          { aggregateType: 'a%23b', aggregateId: 'c' },
          { tenantId: 't', aggregateType: 'a', aggregateId: 'b#c' },
          { aggregateType: 't#a', aggregateId: 'b#c' },
          { aggregateType: 'a', aggregateId: 'é' },
          { aggregateType: 'a', aggregateId: 'e\u0301' },
        ];
        for (const [index, stream] of lookAlikes.entries()) {
          await store.append(stream, ticks(index), { expectedVersion: NO_STREAM });
        }
        for (const [index, stream] of lookAlikes.entries()) {
          const [recorded] = await read(stream);
          expect(recorded!.stream).toEqual(stream);
          expect(recorded!.event).toEqual(new Ticked(index));
        }
      });

      it.each<[string, Partial<StreamId>]>([
        ['an empty id', { aggregateId: '' }],
        ['an empty type', { aggregateType: '' }],
        ['an empty tenant', { tenantId: '' }],
        ['a lone surrogate', { aggregateId: 'a\ud800' }],
        ['a key over 2,048 bytes', { aggregateId: 'ä'.repeat(1020) }],
        ['an id that is no string', { aggregateId: 5 as unknown as string }],
      ])('refuses %s', async (_, part) => {
        const stream = { ...newStream(), ...part };
        await expect(store.append(stream, ticks(1), { expectedVersion: NO_STREAM })).rejects.toThrow(
          InvalidStreamIdError,
        );
        await expect(read(stream)).rejects.toThrow(InvalidStreamIdError);
      });
    });

    describe('events', () => {
      it('refuses what would not come back identical, with its path, and stores nothing of the commit', async () => {
        const stream = newStream();
        const events = [new Ticked(1), new Noted({ list: [1, { bad: Number.NaN }] })];
        const attempt = store.append(stream, events, { expectedVersion: NO_STREAM });
        await expect(attempt).rejects.toThrow(UnserializableEventError);
        await expect(attempt).rejects.toMatchObject({ path: '$.note.list[1].bad', subject: 'contract.Noted' });
        expect(await read(stream)).toEqual([]);
      });

      it('refuses an event class that is not registered', async () => {
        const attempt = store.append(newStream(), [new NotRegistered()], { expectedVersion: NO_STREAM });
        await expect(attempt).rejects.toThrow(EventRegistrationError);
      });

      it.each<[string, Record<string, unknown>]>([
        ['a number', { userId: 5 }],
        ['an empty text', { correlationId: '' }],
        ['a lone surrogate', { custom: '\udfff' }],
        ['an endless user', { userId: 'u'.repeat(3000) }],
      ])('refuses metadata with %s', async (_, metadata) => {
        const options = { expectedVersion: NO_STREAM, metadata: metadata as Record<string, string> };
        await expect(store.append(newStream(), ticks(1), options)).rejects.toThrow(InvalidEventError);
      });

      it('refuses metadata that one event, or one of the streams, cannot have', async () => {
        const [one, two] = [newStream(), { ...newStream(), tenantId: 't'.repeat(1000) }];
        const appends = [one, two].map((stream) => ({ stream, events: ticks(1), expectedVersion: NO_STREAM }));
        const attempts = [
          store.commit({ appends, metadata: { userId: 'u'.repeat(1500) } }),
          store.commit({ appends: [{ ...appends[0]!, metadata: [{ userId: '' }] }] }),
        ];
        for (const attempt of attempts) {
          await expect(attempt).rejects.toThrow(InvalidEventError);
          await expect(attempt).rejects.toMatchObject({ violations: [expect.stringMatching(/^userId \(/)] });
        }
        expect(await read(one)).toEqual([]);
      });

      it('leaves metadata out that is undefined', async () => {
        const stream = newStream();
        const metadata = { userId: undefined, ip: '::1' } as unknown as Record<string, string>;
        await store.append(stream, ticks(1), { expectedVersion: NO_STREAM, metadata });
        expect(Object.keys((await read(stream))[0]!.metadata)).toEqual(['ip']);
      });

      it('keeps metadata with hostile names', async () => {
        const stream = newStream();
        const metadata = JSON.parse('{"__proto__":"a","constructor":"b","pk":"c"}') as Record<string, string>;
        await store.append(stream, ticks(1), { expectedVersion: NO_STREAM, metadata });
        expect(Object.entries((await read(stream))[0]!.metadata).toSorted()).toEqual(
          Object.entries(metadata).toSorted(),
        );
      });
    });

    describe('the outcome of a commit', () => {
      const other = randomUUID();

      it('is told by its commitId', async () => {
        const [one, two] = [newStream(), newStream()];
        const commit = {
          commitId: randomUUID(),
          appends: [
            { stream: one, events: ticks(1), expectedVersion: NO_STREAM },
            { stream: two, events: ticks(2), expectedVersion: NO_STREAM },
          ],
        };
        await store.commit(commit);
        expect(await store.outcomeOf(commit)).toBe('stored');
        expect(await store.outcomeOf({ ...commit, commitId: other })).toBe('not-stored');
        const behind = { commitId: other, appends: [{ stream: one, expectedVersion: 0 }] };
        expect(await store.outcomeOf(behind)).toBe('not-stored');
        expect(await store.outcomeOf({ ...behind, commitId: commit.commitId })).toBe('stored');
        // One place that another commit holds decides for all, also where the rest is free.
        const partly = { commitId: other, appends: [...behind.appends, { stream: two, expectedVersion: 1 }] };
        expect(await store.outcomeOf({ ...partly, appends: partly.appends.toReversed() })).toBe('not-stored');
      });

      it('is found behind a stream of any version', async () => {
        const stream = newStream();
        const commit: Commit = {
          commitId: randomUUID(),
          appends: [{ stream, events: ticks(2), expectedVersion: ANY_VERSION }],
        };
        await store.append(stream, ticks(1), { expectedVersion: NO_STREAM });
        await store.commit(commit);
        await store.append(stream, ticks(3), { expectedVersion: 2 });
        expect(await store.outcomeOf(commit)).toBe('stored');
      });

      it('is not that of another commit with its commitId, where its events are known', async () => {
        const stream = newStream();
        const commitId = randomUUID();
        for (const expectedVersion of [NO_STREAM, 2]) {
          await store.commit({ commitId, appends: [{ stream, events: ticks(1, 2), expectedVersion }] });
        }
        const [first, , second] = (await read(stream)).map(({ eventId }) => eventId);
        const outcomeOf = (expectedVersion: ExpectedVersion, eventId?: string) =>
          store.outcomeOf({
            commitId,
            appends: [{ stream, expectedVersion, ...(eventId !== undefined && { eventId }) }],
            lastAttemptAt: new Date(Date.now() - 16 * 60_000),
          });
        expect(await outcomeOf(NO_STREAM, first)).toBe('stored');
        expect(await outcomeOf(2, second)).toBe('stored');
        expect(await outcomeOf(2, first)).toBe('not-stored');
        expect(await outcomeOf(NO_STREAM, other)).toBe('not-stored');
        expect(await outcomeOf(ANY_VERSION, first)).toBe('stored');
        expect(await outcomeOf(ANY_VERSION, other)).toBe('not-stored');
        // As an error of an earlier release is kept.
        expect(await outcomeOf(NO_STREAM)).toBe('stored');
        expect(await outcomeOf(ANY_VERSION)).toBe('stored');
        const error = new CommitOutcomeUnknownError(commitId, [{ stream, expectedVersion: 0, eventId: other }], 'lost');
        expect(await store.outcomeOf(error)).toBe('not-stored');
        expect(await store.outcomeOf(JSON.parse(JSON.stringify(error)) as CommitReference)).toBe('not-stored');
      });

      it('is not that of a stream to which it appends nothing', async () => {
        const [untouched, stream] = [newStream(), newStream()];
        await store.append(untouched, ticks(1), { expectedVersion: NO_STREAM });
        const commit: Commit = {
          commitId: randomUUID(),
          appends: [
            { stream: untouched, events: [], expectedVersion: NO_STREAM },
            { stream, events: ticks(1), expectedVersion: NO_STREAM },
          ],
        };
        await store.commit(commit);
        expect(await store.outcomeOf(commit)).toBe('stored');
      });

      it('of an old attempt that is not there is that it never will be', async () => {
        const appends = [{ stream: newStream(), expectedVersion: 0 }];
        const lastAttemptAt = new Date(Date.now() - 16 * 60_000);
        expect(await store.outcomeOf({ commitId: other, appends, lastAttemptAt })).toBe('not-stored');
      });

      it('of an error is that of its own streams, whatever tenant asks', async () => {
        const stream = newStream();
        const { commitId } = await store.append(stream, ticks(1), { expectedVersion: NO_STREAM });
        const idempotency = { command: 'Tick', key: randomUUID() };
        await store.commit({
          commitId: other,
          appends: [],
          idempotency: { ...idempotency, fingerprint: 'f', expiresAt: Date.now() + 900_000 },
        });
        const error = new CommitOutcomeUnknownError(commitId, [{ stream, expectedVersion: 0 }], 'lost');
        const empty = new CommitOutcomeUnknownError(other, [], 'lost', new Date(), idempotency);
        for (const asked of [error, empty]) {
          const kept = JSON.parse(JSON.stringify(asked)) as CommitReference;
          await CommandContext.run({ tenantId: 'acme' }, async () => {
            expect(await store.outcomeOf(asked)).toBe('stored');
            expect(await store.outcomeOf(kept)).toBe('stored');
          });
        }
      });

      it('of an error without a tenant is refused where there has to be one', async () => {
        const opened = await open(new EventRegistry().register(Ticked), { requireTenant: true });
        try {
          const error = new CommitOutcomeUnknownError(other, [{ stream: newStream(), expectedVersion: 0 }], 'lost');
          const asked = CommandContext.run({ tenantId: 'acme' }, () => opened.store.outcomeOf(error));
          await expect(asked).rejects.toThrow(MissingTenantError);
        } finally {
          await opened.close();
        }
      });

      it('cannot be told without a commitId or events', async () => {
        const appends = [{ stream: newStream(), events: ticks(1), expectedVersion: NO_STREAM }];
        await expect(store.outcomeOf({ appends })).rejects.toThrow(InvalidCommitError);
        await expect(store.outcomeOf({ commitId: other, appends: [] })).rejects.toThrow(InvalidCommitError);
      });
    });

    describe('a signal', () => {
      const reason = new Error('the client has gone');
      const aborted = () => AbortSignal.abort(reason);

      it('that has come before the operation ends it, and nothing is written', async () => {
        const stream = newStream();
        await store.append(stream, ticks(1), { expectedVersion: NO_STREAM });
        const signal = aborted();
        const operations = [
          store.append(stream, ticks(2), { expectedVersion: 1, signal }),
          store.append(newStream(), ticks(2), { expectedVersion: NO_STREAM, signal }),
          store.commit({ appends: [{ stream, events: ticks(2), expectedVersion: ANY_VERSION }] }, { signal }),
          store.outcomeOf({ commitId: 'c', appends: [{ stream, expectedVersion: 1 }] }, { signal }),
          read(stream, { signal }),
        ];
        for (const operation of operations) {
          await expect(operation).rejects.toMatchObject({ code: 'OPERATION_ABORTED', cause: reason });
        }
        expect(await counts(stream)).toEqual([1]);
      });

      it('that comes during a read ends it', async () => {
        const stream = newStream();
        await store.append(stream, ticks(1, 2, 3), { expectedVersion: NO_STREAM });
        const controller = new AbortController();
        const seen: number[] = [];
        const reading = async () => {
          for await (const { version } of store.read(stream, { signal: controller.signal })) {
            seen.push(version);
            if (version === 2) controller.abort(reason);
          }
        };
        await expect(reading()).rejects.toThrow(OperationAbortedError);
        expect(seen).toEqual([1, 2]);
      });

      it('that never comes leaves no trace', async () => {
        const stream = newStream();
        const { signal } = new AbortController();
        await store.append(stream, ticks(1), { expectedVersion: NO_STREAM, signal });
        await store.append(stream, ticks(2), { expectedVersion: 1, signal });
        expect(await counts(stream, { signal })).toEqual([1, 2]);
        expect(getEventListeners(signal, 'abort')).toEqual([]);
      });
    });

    describe('snapshots', () => {
      const snapshot = (version: number, state: string, snapshotVersion = 1) => ({
        version,
        state,
        snapshotVersion,
        eventTime: 1000,
      });

      async function since(stream: StreamId, tail = 10) {
        const { snapshot: found, events, allEvents } = await store.readSinceSnapshot(stream, tail);
        expect(await collectEvents(allEvents)).toEqual(await read(stream));
        return { snapshot: found, counts: (await collectEvents(events)).map(({ event }) => (event as Ticked).count) };
      }

      it('come with the events after them, however many those are', async () => {
        const stream = newStream();
        await store.append(stream, ticks(1, 2, 3, 4, 5), { expectedVersion: NO_STREAM });
        expect(await since(stream)).toEqual({ snapshot: undefined, counts: [1, 2, 3, 4, 5] });
        await store.saveSnapshot(stream, snapshot(2, '{"two":2}'));
        for (const tail of [1, 2, 3, 10]) {
          expect(await since(stream, tail)).toEqual({ snapshot: snapshot(2, '{"two":2}'), counts: [3, 4, 5] });
        }
        expect(await counts(stream)).toEqual([1, 2, 3, 4, 5]);
      });

      it('are replaced by newer ones only', async () => {
        const stream = newStream();
        await store.append(stream, ticks(1, 2, 3), { expectedVersion: NO_STREAM });
        await store.saveSnapshot(stream, snapshot(2, 'two'));
        await store.saveSnapshot(stream, snapshot(1, 'one'));
        expect((await since(stream)).snapshot?.state).toBe('two');
        await store.saveSnapshot(stream, snapshot(3, 'three'));
        expect((await since(stream)).snapshot?.state).toBe('three');
        await store.saveSnapshot(stream, snapshot(3, 'new shape', 2));
        expect((await since(stream)).snapshot?.state).toBe('new shape');
      });

      it('travel with the last event when the commit carries a state', async () => {
        const stream = newStream();
        const state = { snapshotVersion: 3, state: '{"sum":3}' };
        await store.commit({ appends: [{ stream, events: ticks(1, 2), expectedVersion: NO_STREAM, state }] });
        const [, last] = await read(stream);
        expect(await since(stream, 0)).toEqual({
          snapshot: { ...state, version: 2, eventTime: last!.eventTime.getTime() },
          counts: [],
        });
        await store.append(stream, ticks(3), { expectedVersion: 2 });
        const afterwards = await since(stream, 0);
        expect([afterwards.snapshot?.version ?? 0, afterwards.counts]).toEqual([2, [3]]);
      });

      it('are none of a stream that is not there', async () => {
        expect(await since(newStream())).toEqual({ snapshot: undefined, counts: [] });
      });

      it('of both kinds give way to the newer', async () => {
        const stream = newStream();
        const state = (text: string) => ({ snapshotVersion: 1, state: text });
        await store.commit({
          appends: [{ stream, events: ticks(1, 2), expectedVersion: NO_STREAM, state: state('with event 2') }],
        });
        await store.append(stream, ticks(3, 4), { expectedVersion: 2 });
        await store.saveSnapshot(stream, snapshot(3, 'apart'));
        expect(await since(stream)).toMatchObject({ snapshot: { version: 3, state: 'apart' }, counts: [4] });
        await store.commit({
          appends: [{ stream, events: ticks(5), expectedVersion: 4, state: state('with event 5') }],
        });
        expect(await since(stream)).toMatchObject({ snapshot: { version: 5, state: 'with event 5' }, counts: [] });
      });

      it('are no part of the stream', async () => {
        const stream = newStream();
        await store.saveSnapshot(stream, snapshot(5, 'five'));
        expect(await read(stream)).toEqual([]);
        expect(await read(stream, { direction: 'backward' })).toEqual([]);
      });
    });
  });
}
