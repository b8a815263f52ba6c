import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { positionAt, timeOf } from '../../src/store/event-feed.js';
import { FeedReader, type FeedPlaces } from '../../src/subscription/feed-reader.js';
import { Random } from '../campaigns/random.js';
import { UntidyFeed } from '../sources/untidy-feed.js';

const TIMING = { marginMs: 1000, backtrackMs: 120_000, pollMs: 500 };
const STARTED_AT = Date.UTC(2026, 2, 1);
const STOPPED_AT = STARTED_AT - 3_600_000;
const REQUEST_MS = 5;
/** Of the feed. */
const PAGE = 300;
/** So many pages were stored in the time before the stop that is read again, and so many while nothing was read. */
const [BEFORE, BACKLOG] = [5, 20];
/** Each pass looks behind the last page, and as pages begin with the last event of the one before, there is one more. */
const AT_THE_END = 5;

describe('a reader that has much to catch up with', () => {
  const stream = { aggregateType: 'account', aggregateId: 'a' };
  let now: number;
  let feed: UntidyFeed;
  let partition: string;

  beforeEach(() => {
    now = STARTED_AT;
    jest.spyOn(Date, 'now').mockImplementation(() => now);
    feed = new UntidyFeed(new Random(7), { usualLagMs: 0, lateOnceIn: 1, lateMs: 0 });
    partition = feed.partitionOf(stream);
    store(BEFORE, STOPPED_AT - TIMING.backtrackMs, STOPPED_AT);
    store(BACKLOG, STOPPED_AT, STARTED_AT - TIMING.backtrackMs);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** Stores so many pages, spread over a time. */
  function store(pages: number, from: number, to: number): void {
    const count = pages * PAGE;
    for (let index = 1; index <= count; index++) feed.append(stream, from + Math.floor(((to - from) * index) / count));
  }

  /** Reads until nothing is due, or as long as it is told to. */
  async function follow(places: FeedPlaces, goesOn: (reader: FeedReader) => boolean = () => true) {
    const reader = new FeedReader(feed, partition, TIMING, places);
    const versions = new Set<number>();
    let reads = 0;
    while (goesOn(reader)) {
      const page = await reader.read();
      if (!page) break;
      now += REQUEST_MS;
      reads++;
      for (const { event } of page.events) versions.add(event.version);
      page.done();
    }
    return { reader, versions, reads };
  }

  const stopped = { settled: positionAt(STOPPED_AT - TIMING.backtrackMs), lead: positionAt(STOPPED_AT) };

  it('settles what was read before the stop before it goes on with what is new', async () => {
    const isBehind = ({ places }: FeedReader) => timeOf(places.settled) < STOPPED_AT;
    const { reader, reads } = await follow(stopped, isBehind);
    expect(reads).toBeLessThanOrEqual(BEFORE + 1);
    expect(timeOf(reader.places.lead)).toBeGreaterThanOrEqual(STOPPED_AT);
  });

  it('reads no page more than once', async () => {
    const { reader, versions, reads } = await follow(stopped);
    expect(versions.size).toBe((BEFORE + BACKLOG) * PAGE);
    expect(timeOf(reader.places.settled)).toBeGreaterThanOrEqual(STARTED_AT - TIMING.backtrackMs);
    expect(reads).toBeLessThanOrEqual(BEFORE + BACKLOG + AT_THE_END);
  });

  it('reads no page more than once where it is ended again and again', async () => {
    let places: FeedPlaces = stopped;
    let all = 0;
    while (timeOf(places.settled) < STARTED_AT - TIMING.backtrackMs) {
      let left = 2;
      const { reader, reads } = await follow(places, () => left-- > 0);
      expect(reader.places).not.toEqual(places);
      places = reader.places;
      all += reads;
    }
    expect(all).toBeLessThanOrEqual(BEFORE + BACKLOG + AT_THE_END);
  });

  it('reads each page once from the beginning', async () => {
    const start = positionAt(0);
    const { versions, reads } = await follow({ settled: start, lead: start });
    expect(versions.size).toBe((BEFORE + BACKLOG) * PAGE);
    expect(reads).toBeLessThanOrEqual(BEFORE + BACKLOG + AT_THE_END);
  });
});
