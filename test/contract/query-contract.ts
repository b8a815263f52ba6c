import { randomUUID } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  CommandContext,
  EventRegistry,
  EventType,
  InvalidStreamIdError,
  MissingTenantError,
  NO_STREAM,
  OperationAbortedError,
  UnknownEventTypeError,
  type EventStore,
  type QueryBy,
  type QueryPosition,
  type QueryRange,
  type RecordedEvent,
  type StreamId,
} from '../../src/index.js';
import { collect } from '../setup/collect.js';
import type { OpenStore } from './event-store-contract.js';

@EventType('query.Ticked', { aliases: ['query.Tocked'] })
class Ticked {
  constructor(readonly count: number) {}
}

@EventType('query.Noted')
class Noted {
  constructor(readonly note: string) {}
}

/** Its first version was two events in one, and its second one is of no use any more. */
@EventType('query.Moved', {
  version: 3,
  upcast: { 1: ({ from, to }) => [new Noted(`from ${from}`), new Noted(`to ${to}`)], 2: () => [] },
})
class Moved {
  constructor(
    readonly from: string,
    readonly to: string,
  ) {}
}

/** More names than an IN of DynamoDB takes. */
@EventType('query.Renamed', { aliases: Array.from({ length: 250 }, (_, index) => `query.Renamed-${index}`) })
class Renamed {}

/** What every store answers to questions over many streams. Each store's own test file runs it. */
export function queryContract(name: string, open: OpenStore): void {
  describe(`${name} answers queries`, () => {
    const registry = new EventRegistry().register(Ticked, Noted, Moved, Renamed);
    let store: EventStore;
    let strict: EventStore;
    const closers: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      const opened = await open(registry);
      const openedStrict = await open(registry, { requireTenant: true });
      [store, strict] = [opened.store, openedStrict.store];
      closers.push(opened.close, openedStrict.close);
    });

    afterAll(async () => {
      for (const close of closers) await close();
    });

    const newType = () => `type-${randomUUID()}`;
    const ticks = (...counts: number[]) => counts.map((count) => new Ticked(count));
    const query = async (by: QueryBy, range?: QueryRange) => collect(store.query(by, range));

    async function append(stream: StreamId, events: object[], userId?: string): Promise<void> {
      await store.append(stream, events, { expectedVersion: NO_STREAM, ...(userId && { metadata: { userId } }) });
    }

    /** Runs with a clock that stands still. */
    async function at<T>(time: number, run: () => Promise<T>): Promise<T> {
      const clock = jest.spyOn(Date, 'now').mockReturnValue(time);
      return run().finally(() => clock.mockRestore());
    }

    /** Stores as a release of the application did in which types had other names or versions. */
    async function inEarlierRelease(stored: { eventType?: string; schemaVersion?: number }, run: () => Promise<void>) {
      const encode = registry.encode.bind(registry);
      const earlier = jest.spyOn(registry, 'encode').mockImplementation((event) => ({ ...encode(event), ...stored }));
      await run().finally(() => earlier.mockRestore());
    }

    /** Events of many streams, enough for each slice to have several, each stream's at T and T + 1. */
    async function manyAtOnce(aggregateType: string, streams: number, userId: string): Promise<void> {
      await at(T, async () => {
        for (let stream = 0; stream < streams; stream++) {
          await append({ aggregateType, aggregateId: `s-${stream}` }, ticks(stream, stream), userId);
        }
      });
    }

    const T = Date.parse('2026-05-04T03:02:01.000Z');
    const nameOf = ({ stream, version }: RecordedEvent) => `${stream.aggregateId}/${version}`;
    const namesOf = (events: readonly RecordedEvent[]) => events.map(nameOf);
    const timesOf = (events: readonly RecordedEvent[]) => events.map(({ eventTime }) => eventTime.getTime() - T);
    const countsOf = (events: readonly RecordedEvent[]) => events.map(({ event }) => (event as Ticked).count);

    describe('of an aggregate type', () => {
      it('with its events over all streams in the order of time, either way', async () => {
        const aggregateType = newType();
        const expected: string[] = [];
        for (let round = 0; round < 3; round++) {
          for (let stream = 0; stream < 15; stream++) {
            await at(T + expected.length * 1000, () =>
              store.append({ aggregateType, aggregateId: `s-${stream}` }, ticks(round), { expectedVersion: round }),
            );
            expected.push(`s-${stream}/${round + 1}`);
          }
        }
        await append({ aggregateType: newType(), aggregateId: 's-0' }, ticks(99));
        const found = await query({ aggregateType });
        expect(namesOf(found)).toEqual(expected);
        expect(namesOf(await query({ aggregateType }, { direction: 'backward' }))).toEqual(expected.toReversed());
        const [first] = found;
        expect([first]).toEqual(await collect(store.read({ aggregateType, aggregateId: 's-0' }, { limit: 1 })));
        expect(first!.event).toBeInstanceOf(Ticked);
      });

      it('with nothing where there is nothing', async () => {
        expect(await query({ aggregateType: newType() })).toEqual([]);
        expect(await query({ aggregateType: newType() }, { direction: 'backward', limit: 1 })).toEqual([]);
      });

      it.each<[string, Omit<QueryRange, 'from' | 'to'> & { from?: number; to?: number }, number[]]>([
        ['all', {}, [0, 10, 20, 30]],
        ['from a time on', { from: 10 }, [10, 20, 30]],
        ['from between two', { from: 11 }, [20, 30]],
        ['to a time', { to: 20 }, [0, 10, 20]],
        ['to right before one', { to: 19 }, [0, 10]],
        ['between times', { from: 10, to: 20 }, [10, 20]],
        ['of one millisecond', { from: 10, to: 10 }, [10]],
        ['of bounds that are crossed', { from: 20, to: 10 }, []],
        ['between times backward', { from: 10, to: 20, direction: 'backward' }, [20, 10]],
        ['before all', { to: -1 }, []],
        ['after all', { from: 31, direction: 'backward' }, []],
        ['before history', { to: -(2 ** 52) }, []],
        ['from the first to the last time there is', { from: -8.64e15 - T, to: 8.64e15 - T }, [0, 10, 20, 30]],
        ['at most two', { limit: 2 }, [0, 10]],
        ['at most two, backward', { limit: 2, direction: 'backward' }, [30, 20]],
        ['at most two from a time on', { limit: 2, from: 10 }, [10, 20]],
        ['at most none', { limit: 0 }, []],
        ['any number', { limit: Infinity }, [0, 10, 20, 30]],
      ])('in a range: %s', async (named, { from, to, ...range }, expected) => {
        const aggregateType = `ranges-${named}`;
        const userId = `user of ${named}`;
        for (const time of [30, 0, 20, 10]) {
          await at(T + time, () => append({ aggregateType, aggregateId: `at-${time}` }, ticks(time), userId));
        }
        const times = {
          ...(from !== undefined && { from: new Date(T + from) }),
          ...(to !== undefined && { to: new Date(T + to) }),
        };
        expect(timesOf(await query({ aggregateType }, { ...range, ...times }))).toEqual(expected);
        expect(timesOf(await query({ userId }, { ...range, ...times }))).toEqual(expected);
      });

      it('with some event types, also where events are stored under another name of the class', async () => {
        const aggregateType = newType();
        await append({ aggregateType, aggregateId: 'a' }, [new Ticked(1), new Noted('n')]);
        await inEarlierRelease({ eventType: 'query.Tocked' }, () =>
          append({ aggregateType, aggregateId: 'b' }, ticks(2, 3)),
        );
        const found = async (...eventTypes: string[]) => namesOf(await query({ aggregateType, eventTypes })).toSorted();
        expect(await found('query.Ticked')).toEqual(['a/1', 'b/1', 'b/2']);
        expect(await found('query.Tocked')).toEqual(['a/1', 'b/1', 'b/2']);
        expect(await found('query.Noted')).toEqual(['a/2']);
        expect(await found('query.Noted', 'query.Ticked', 'query.Ticked')).toEqual(['a/1', 'a/2', 'b/1', 'b/2']);
        expect(await found('query.Renamed')).toEqual([]);
        expect(await found()).toEqual([]);
      });

      it('with an event type of very many names', async () => {
        const aggregateType = newType();
        await append({ aggregateType, aggregateId: 'a' }, [new Renamed(), new Ticked(1)]);
        for (const index of [0, 99, 100, 249]) {
          await inEarlierRelease({ eventType: `query.Renamed-${index}` }, () =>
            append({ aggregateType, aggregateId: String(index) }, [new Renamed()]),
          );
        }
        const found = await query({ aggregateType, eventTypes: ['query.Renamed'] });
        expect(namesOf(found).toSorted()).toEqual(['0/1', '100/1', '249/1', '99/1', 'a/1']);
      });

      it('refuses an event type that no class has', async () => {
        await expect(query({ aggregateType: newType(), eventTypes: ['query.Typo'] })).rejects.toThrow(
          UnknownEventTypeError,
        );
      });

      it('with the few events of a rare type, however many others there are', async () => {
        const aggregateType = newType();
        for (let stream = 0; stream < 8; stream++) {
          const others = ticks(...Array.from({ length: 99 }, (_, index) => index));
          const events = stream === 5 ? [...others, new Noted('rare')] : others;
          await at(T, () => append({ aggregateType, aggregateId: `s-${stream}` }, events));
        }
        const by = { aggregateType, eventTypes: ['query.Noted'] };
        expect(namesOf(await query(by, { limit: 1 }))).toEqual(['s-5/100']);
        expect(namesOf(await query(by, { limit: 1, direction: 'backward' }))).toEqual(['s-5/100']);
      });
    });

    describe('page by page', () => {
      const aggregateType = newType();
      const userId = `paging ${randomUUID()}`;
      const STREAMS = 24;

      beforeAll(() => manyAtOnce(aggregateType, STREAMS, userId));

      async function paged(by: QueryBy, range: QueryRange, limit: number): Promise<RecordedEvent[]> {
        const all: RecordedEvent[] = [];
        for (let after: QueryPosition | undefined; ;) {
          const page = await query(by, { ...range, limit, ...(after && { after }) });
          all.push(...page);
          if (page.length < limit) return all;
          const last = page.at(-1)!;
          // A page goes to a browser and comes back.
          after = all.length % 2 === 0 ? (JSON.parse(JSON.stringify(last)) as QueryPosition) : last;
        }
      }

      it.each<[string, QueryBy]>([
        ['an aggregate type', { aggregateType }],
        ['an aggregate type and event types', { aggregateType, eventTypes: ['query.Ticked'] }],
        ['a user', { userId }],
      ])('loses and doubles nothing of %s where many events have one time', async (_, by) => {
        for (const direction of ['forward', 'backward'] as const) {
          const whole = await query(by, { direction });
          const inTime = [...Array<number>(STREAMS).fill(0), ...Array<number>(STREAMS).fill(1)];
          expect(timesOf(whole)).toEqual(direction === 'forward' ? inTime : inTime.toReversed());
          expect(new Set(namesOf(whole)).size).toBe(2 * STREAMS);
          for (const limit of [1, 7, STREAMS, 2 * STREAMS]) {
            expect(namesOf(await paged(by, { direction }, limit))).toEqual(namesOf(whole));
          }
          const [from, to] = [new Date(T + 1), new Date(T + 1)];
          expect(namesOf(await paged(by, { direction, from, to }, 9))).toEqual(
            namesOf(whole.filter(({ eventTime }) => eventTime.getTime() === T + 1)),
          );
        }
      });

      it.each<[string, QueryBy]>([
        ['an aggregate type', { aggregateType }],
        ['a user', { userId }],
      ])('goes on behind an event of %s that is outside of the range', async (_, by) => {
        const [first] = await query(by, { limit: 1 });
        const [last] = await query(by, { limit: 1, direction: 'backward' });
        const late = { from: new Date(T + 1) };
        const early = { to: new Date(T) };
        expect(await query(by, { ...late, after: first! })).toHaveLength(STREAMS);
        expect(await query(by, { ...early, after: last! })).toEqual([]);
        expect(await query(by, { ...early, after: last!, direction: 'backward' })).toHaveLength(STREAMS);
        expect(await query(by, { ...late, after: first!, direction: 'backward' })).toEqual([]);
        expect(await query(by, { after: last! })).toEqual([]);
        expect(await query(by, { after: first!, direction: 'backward' })).toEqual([]);
      });

      it('refuses a position in another query', async () => {
        const [after] = await query({ aggregateType }, { limit: 1 });
        const reading = [
          query({ aggregateType: newType() }, { after: after! }),
          query({ aggregateType, tenantId: 't' }, { after: after! }),
          query({ userId, tenantId: 't' }, { after: after! }),
        ];
        for (const each of reading) await expect(each).rejects.toThrow('after must be an event of the same query');
      });
    });

    describe('of a user', () => {
      it('with the events that the user caused, over all types', async () => {
        const userId = `ada#${randomUUID()}`;
        const types = [newType(), newType()];
        for (const [index, aggregateType] of types.entries()) {
          await at(T + index, async () => {
            await append({ aggregateType, aggregateId: 'a' }, ticks(index), userId);
            await append({ aggregateType, aggregateId: 'b' }, ticks(99), `${userId}x`);
            await append({ aggregateType, aggregateId: 'c' }, ticks(99));
          });
        }
        expect(countsOf(await query({ userId }))).toEqual([0, 1]);
        expect(countsOf(await query({ userId }, { direction: 'backward' }))).toEqual([1, 0]);
        expect(await query({ userId: randomUUID() })).toEqual([]);
      });
    });

    describe('of a tenant', () => {
      it('are kept apart, look-alikes as well', async () => {
        const id = randomUUID();
        const pairs: { tenantId?: string; userId: string; aggregateType: string }[] = [
          { userId: `b#c-${id}`, aggregateType: `b#c-${id}` },
          { tenantId: 'a', userId: `b#c-${id}`, aggregateType: `b#c-${id}` },
          { tenantId: 'a#b', userId: `c-${id}`, aggregateType: `c-${id}` },
          { tenantId: 'a%23b', userId: `c-${id}`, aggregateType: `c-${id}` },
          { userId: `a#b#c-${id}`, aggregateType: `a#b#c-${id}` },
          { tenantId: 'a', userId: `c-${id}`, aggregateType: `c-${id}` },
          { tenantId: 'b', userId: `b#c-${id}`, aggregateType: `b#c-${id}` },
          { tenantId: 'a', userId: `b#c-${id}#0`, aggregateType: `b#c-${id}#0` },
        ];
        for (const [index, { userId, ...type }] of pairs.entries()) {
          for (const aggregateId of ['0', '1', '2', '3', '4', '5']) {
            await append({ ...type, aggregateId }, ticks(index), userId);
          }
        }
        for (const [index, { userId, aggregateType, ...tenant }] of pairs.entries()) {
          const six = Array<number>(6).fill(index);
          expect(countsOf(await query({ aggregateType, ...tenant }))).toEqual(six);
          expect(countsOf(await query({ aggregateType, ...tenant, eventTypes: ['query.Ticked'] }))).toEqual(six);
          expect(countsOf(await query({ userId, ...tenant }))).toEqual(six);
        }
      });

      it('go on page by page', async () => {
        const aggregateType = newType();
        await at(T, async () => {
          for (const aggregateId of ['0', '1', '2', '3', '4', '5', '6', '7', '8']) {
            await append({ tenantId: 'pages', aggregateType, aggregateId }, ticks(1));
          }
        });
        const by = { tenantId: 'pages', aggregateType };
        const whole = await query(by);
        for (const [index, after] of whole.entries()) {
          expect(namesOf(await query(by, { after, limit: 3 }))).toEqual(namesOf(whole.slice(index + 1, index + 4)));
        }
      });

      it('are those of the tenant that is in force when the query is made', async () => {
        const aggregateType = newType();
        for (const tenantId of ['t-1', 't-2']) {
          await CommandContext.run({ tenantId }, () =>
            append({ aggregateType, aggregateId: 'a' }, [new Noted(tenantId)], aggregateType),
          );
        }
        const notes = async (events: AsyncIterable<RecordedEvent>) =>
          (await collect(events)).map(({ event }) => (event as Noted).note);
        for (const by of [{ aggregateType }, { userId: aggregateType }]) {
          const made = CommandContext.run({ tenantId: 't-1' }, () => store.query(by));
          expect(await CommandContext.run({ tenantId: 't-2' }, () => notes(made))).toEqual(['t-1']);
          const named = CommandContext.run({ tenantId: 't-1' }, () => store.query({ ...by, tenantId: 't-2' }));
          expect(await notes(named)).toEqual(['t-2']);
          expect(await notes(store.query(by))).toEqual([]);
        }
      });

      it('have to name it where a tenant is required', async () => {
        expect(() => strict.query({ aggregateType: 'a' })).toThrow(MissingTenantError);
        expect(() => strict.query({ userId: 'a' })).toThrow(MissingTenantError);
        expect(await collect(strict.query({ aggregateType: 'a', tenantId: 't' }))).toEqual([]);
        expect(await collect(CommandContext.run({ tenantId: 't' }, () => strict.query({ userId: 'a' })))).toEqual([]);
      });
    });

    describe('of events that upcasting splits or drops', () => {
      const stored = async () => {
        const aggregateType = newType();
        for (const [index, schemaVersion] of [1, 2, 2, 1, 3].entries()) {
          await inEarlierRelease({ schemaVersion }, () =>
            at(T + index, () =>
              append({ aggregateType, aggregateId: `s-${index}` }, [new Moved(`${index}`, `${index + 1}`)]),
            ),
          );
        }
        return { aggregateType };
      };
      const shown = (events: readonly RecordedEvent[]) =>
        events.map(({ event }) => (event instanceof Noted ? event.note : 'moved'));
      const all = ['from 0', 'to 1', 'from 3', 'to 4', 'moved'];

      it('gives all of what they are read as, either way', async () => {
        const by = await stored();
        expect(shown(await query(by))).toEqual(all);
        expect(shown(await query(by, { direction: 'backward' }))).toEqual(all.toReversed());
        // They are found by the name they are stored under.
        expect(shown(await query({ ...by, eventTypes: ['query.Moved'] }))).toEqual(all);
        expect(await query({ ...by, eventTypes: ['query.Noted'] })).toEqual([]);
      });

      it('counts events that are given out, ends a page behind a whole version, and goes on behind it', async () => {
        const by = await stored();
        for (const limit of [1, 2]) expect(shown(await query(by, { limit }))).toEqual(all.slice(0, 2));
        for (const limit of [3, 4]) expect(shown(await query(by, { limit }))).toEqual(all.slice(0, 4));
        for (const part of [0, 1]) {
          const after = (await query(by))[part]!;
          expect(shown(await query(by, { after, limit: 1 }))).toEqual(['from 3', 'to 4']);
        }
        const backward = { direction: 'backward', limit: 1 } as const;
        const [after] = await query(by, backward);
        expect(shown(await query(by, { ...backward, after: after! }))).toEqual(['to 4', 'from 3']);
      });
    });

    describe('that make no sense', () => {
      const never = new Date(Number.NaN);
      const after = { stream: { aggregateType: 'a', aggregateId: 'a' }, version: 1, eventTime: new Date(1) };

      it.each<[string, QueryRange]>([
        ['from', { from: never }],
        ['to', { to: never }],
        ['limit', { limit: 1.5 }],
        ['limit', { limit: -1 }],
        ['limit', { limit: Number.NaN }],
        ['after.version', { after: { ...after, version: 0 } }],
        ['after.version', { after: { ...after, version: Infinity } }],
        ['after.eventTime', { after: { ...after, eventTime: 'yesterday' } }],
      ])('by %s are refused: %p', async (named, range) => {
        await expect(query({ aggregateType: 'a' }, range)).rejects.toThrow(RangeError);
        await expect(query({ aggregateType: 'a' }, range)).rejects.toThrow(named);
      });

      it.each<[string, QueryBy]>([
        ['an empty type', { aggregateType: '' }],
        ['an empty user', { userId: '' }],
        ['an empty tenant', { userId: 'a', tenantId: '' }],
        ['a lone surrogate', { userId: '\ud800' }],
        ['a type that no stream can have', { aggregateType: 'x'.repeat(2046) }],
        ['a user that no event can have', { userId: 'x'.repeat(2048) }],
        ['a user that is no text', { userId: 5 as unknown as string }],
      ])('with %s are refused', async (_, by) => {
        await expect(query(by)).rejects.toThrow(InvalidStreamIdError);
      });

      it('of neither type nor user, or of both, are refused', async () => {
        await expect(query({} as QueryBy)).rejects.toThrow(TypeError);
        await expect(query({ aggregateType: 'a', userId: 'b' } as unknown as QueryBy)).rejects.toThrow(TypeError);
      });

      it('take the longest type and the longest user that can be stored', async () => {
        const aggregateType = `${'x'.repeat(2044 - 36)}${randomUUID()}`;
        const userId = `${'#'.repeat(2047 - 36)}${randomUUID()}`;
        await append({ aggregateType, aggregateId: 'a' }, ticks(1), userId);
        expect(await query({ aggregateType })).toHaveLength(1);
        expect(await query({ userId })).toHaveLength(1);
      });
    });

    describe('with a signal', () => {
      const reason = new Error('the client has gone');

      it('that has come end at once', async () => {
        await expect(query({ aggregateType: 'a' }, { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
          code: 'OPERATION_ABORTED',
          cause: reason,
        });
      });

      it('that comes between two events end there, and leave no trace', async () => {
        const aggregateType = newType();
        await append({ aggregateType, aggregateId: 'a' }, ticks(1, 2, 3));
        const controller = new AbortController();
        const seen: number[] = [];
        const reading = async () => {
          for await (const { version } of store.query({ aggregateType }, { signal: controller.signal })) {
            seen.push(version);
            if (version === 2) controller.abort(reason);
          }
        };
        await expect(reading()).rejects.toThrow(OperationAbortedError);
        expect(seen).toEqual([1, 2]);
        expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
      });
    });
  });
}
