import { DynamoDbEventStore, type QueryBy, type QueryPosition, type RecordedEvent } from '../../src/index.js';
import { campaign, type Stage } from './campaign.js';
import { METER, READER, registry, writeMeterLog, type MeterLog } from './query-check/meter-log.js';
import { WatchedQueries } from './query-check/watched-queries.js';
import { Random } from './random.js';
import { clientFor, createTables } from './tables.js';
import { usedHeap } from './used-heap.js';

/** Slices of an aggregate type. */
const SLICES = 4;

/** The heap is measured so many times in a query: collecting garbage takes time. */
const HEAP_SAMPLES = 8;

/** What a query may hold: a page of 1 MB for each slice, which is several MB when it is decoded. */
const ALLOWED_MB = 40;

export const queryCheck = campaign({
  about:
    'Asks a large log for all events of a type, either way and page by page: right order, right set, little memory.',
  defaults: { events: 262_000, aggregates: 13_000, pagedEvents: 20_000, pageOf: 500, tenant: '' },

  async run({ events, aggregates, pagedEvents, pageOf, tenant }, { endpoint, seed, progress }) {
    const tables = await createTables(endpoint);
    const client = clientFor(endpoint);
    const tenantId = tenant === '' ? undefined : tenant;
    const owner = { ...(tenantId !== undefined && { tenantId }) };
    try {
      const writing = performance.now();
      const options = { events, aggregates, tenantId };
      const log = await writeMeterLog(client, tables.names.events, options, new Random(seed), (done) =>
        progress(done, events, 'events written'),
      );
      const secondsWriting = secondsSince(writing);

      const store = new DynamoDbEventStore({ client, tables: tables.names, registry, deadlineMs: 60_000 });
      const check = new QueryCheck(store, new WatchedQueries(client), log, progress);
      const byType = { aggregateType: METER, ...owner };
      const forward = await check.whole('forward', byType, events, 'forward', SLICES, pagedEvents);
      const backward = await check.whole('backward', byType, events, 'backward', SLICES);
      const byReader = { userId: READER.userId, ...owner };
      const user = await check.whole('by user', byReader, log.byReader, 'forward', 1);
      const pages = await check.paged(byType, forward.firstIds, pageOf);
      return {
        violations: check.violations,
        figures: {
          events,
          aggregates,
          slices: forward.slices,
          'seconds writing': secondsWriting,
          'requests before the first event': forward.requestsBeforeFirst,
          'first event after ms': forward.firstAfterMs,
          requests: forward.requests,
          'events/s': Math.round(events / forward.seconds),
          'events buffered at most': Math.max(forward.mostBuffered, backward.mostBuffered),
          'largest page': forward.largestPage,
          'heap growth at most MB': Math.max(forward.heapMb, backward.heapMb).toFixed(1),
          'requests backward': backward.requests,
          'events of the user': log.byReader,
          'requests by user': user.requests,
          'events page by page': forward.firstIds.length,
          pages,
        },
      };
    } finally {
      client.destroy();
      await tables.drop();
    }
  },
});

/** What was seen of a query that was read to its end. */
interface Seen {
  readonly slices: number;
  readonly requests: number;
  readonly requestsBeforeFirst: number;
  readonly firstAfterMs: number;
  readonly seconds: number;
  readonly mostBuffered: number;
  readonly largestPage: number;
  readonly heapMb: number;
  /** Of the first events, as many as were to be kept. */
  readonly firstIds: readonly string[];
}

class QueryCheck {
  readonly violations: string[] = [];

  constructor(
    private readonly store: DynamoDbEventStore,
    private readonly queries: WatchedQueries,
    private readonly log: MeterLog,
    private readonly progress: Stage['progress'],
  ) {}

  /** Reads all that a query gives, and compares it with what was written. */
  async whole(
    name: string,
    by: QueryBy,
    expected: number,
    direction: 'forward' | 'backward',
    slices: number,
    keep = 0,
  ): Promise<Seen> {
    const { queries } = this;
    const forward = direction === 'forward';
    const isType = by.userId === undefined;
    const lastVersions = new Map<string, number>();
    const firstIds: string[] = [];
    const heapBefore = usedHeap();
    let [given, late, unexpected, lastTime] = [0, 0, 0, forward ? -Infinity : Infinity];
    let [mostBuffered, requestsBeforeFirst, firstAfterMs, heapMb] = [0, 0, 0, 0];
    queries.reset();
    const started = performance.now();
    for await (const { stream, version, eventTime, eventId } of this.store.query(by, { direction })) {
      if (given++ === 0) {
        requestsBeforeFirst = queries.requests;
        firstAfterMs = Math.round(performance.now() - started);
      }
      const time = eventTime.getTime();
      if (forward ? time < lastTime : time > lastTime) late++;
      lastTime = time;
      const { aggregateId } = stream;
      const last = lastVersions.get(aggregateId) ?? (forward ? 0 : this.log.versions.get(aggregateId)! + 1);
      const step = forward ? version - last : last - version;
      if (isType ? step !== 1 : step < 1) unexpected++;
      lastVersions.set(aggregateId, version);
      if (firstIds.length < keep) firstIds.push(eventId);
      mostBuffered = Math.max(mostBuffered, queries.received - given + 1);
      if (given % 1000 === 0) this.progress(given, expected, `events read, ${name}`);
      if (given % Math.ceil(expected / HEAP_SAMPLES) === 0) {
        heapMb = Math.max(heapMb, (usedHeap() - heapBefore) / 2 ** 20);
      }
    }
    const seconds = (performance.now() - started) / 1000;
    if (given !== expected) this.violations.push(`${name}: ${given} events of ${expected}`);
    if (late > 0) this.violations.push(`${name}: ${late} events out of the order of time`);
    // Each version of each stream comes exactly once, as those of a stream are dense and all are as many as were written.
    if (unexpected > 0) this.violations.push(`${name}: ${unexpected} events of another version than the next`);
    if (isType && lastVersions.size !== this.log.versions.size) {
      this.violations.push(`${name}: ${lastVersions.size} aggregates of ${this.log.versions.size}`);
    }
    if (requestsBeforeFirst !== slices) {
      this.violations.push(`${name}: ${requestsBeforeFirst} requests before the first event, and not ${slices}`);
    }
    if (mostBuffered > slices * queries.largestPage) this.violations.push(`${name}: ${mostBuffered} events in memory`);
    if (heapMb > ALLOWED_MB) this.violations.push(`${name}: the heap grew by ${heapMb.toFixed(1)} MB`);
    const { requests, largestPage } = queries;
    const seen = { requestsBeforeFirst, firstAfterMs, seconds, mostBuffered, heapMb, firstIds };
    return { ...seen, slices: queries.slices, requests, largestPage };
  }

  /** Reads as many events as there are ids, page by page, and compares each. Tells how many pages it took. */
  async paged(by: QueryBy, ids: readonly string[], pageOf: number): Promise<number> {
    let [pages, given, wrong] = [0, 0, 0];
    let after: QueryPosition | undefined;
    while (given < ids.length) {
      const limit = Math.min(pageOf, ids.length - given);
      let last: RecordedEvent | undefined;
      for await (const recorded of this.store.query(by, { limit, ...(after && { after }) })) {
        if (recorded.eventId !== ids[given++]) wrong++;
        last = recorded;
      }
      if (!last) break;
      after = JSON.parse(JSON.stringify(last)) as QueryPosition;
      pages++;
    }
    if (given !== ids.length) this.violations.push(`page by page: ${given} events of ${ids.length}`);
    if (wrong > 0) this.violations.push(`page by page: ${wrong} other events than in one go`);
    return pages;
  }
}

function secondsSince(started: number): number {
  return Math.round((performance.now() - started) / 1000);
}
