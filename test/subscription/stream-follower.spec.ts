import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EventRegistry, EventStoreUnavailableError, InMemoryEventStore, Subscriptions } from '../../src/index.js';
import { positionAt } from '../../src/store/event-feed.js';
import { IteratorExpiredError, RecordsTrimmedError } from '../../src/store/event-stream.js';
import { InMemoryBookkeeping } from '../../src/store/in-memory-bookkeeping.js';
import { InMemoryEventFeed } from '../../src/store/in-memory-event-feed.js';
import type { StoredEvent } from '../../src/store/stored-event.js';
import { Gate } from '../../src/subscription/gate.js';
import { StreamFollower } from '../../src/subscription/stream-follower.js';
import { MoneyDeposited } from '../setup/bank.js';
import { until } from '../setup/until.js';
import { eventRecord } from '../sources/event-record.js';
import { FakeStream, type Told } from '../sources/fake-stream.js';

const PAGE = 2;
const TIMING = { readEveryMs: 2, lookEveryMs: 10 };

describe('following a stream', () => {
  let stream: FakeStream;
  let found: string[];
  let missed: number;
  let reports: string[];
  let follower: StreamFollower;

  beforeEach(() => {
    [stream, found, missed, reports] = [new FakeStream(PAGE), [], 0, []];
    const onFound = (events: readonly StoredEvent[]) => void found.push(...events.map(({ eventId }) => eventId));
    follower = new StreamFollower(
      stream,
      onFound,
      () => missed++,
      (text) => reports.push(text),
      TIMING,
    );
  });
  afterEach(() => follower.stop());

  const record =
    (eventId: string): Told =>
    () =>
      eventRecord({
        stream: { aggregateType: 'account', aggregateId: 'x' },
        version: 1,
        eventId,
        eventTime: 1,
        eventType: 'test',
        schemaVersion: 1,
        eventData: '{}',
        metadata: {},
        commitId: 'c',
        commitIndex: 0,
        commitSize: 1,
      });
  const begins = async (...ids: string[]) =>
    until(() => ids.every((id) => stream.places.some((p) => p.startsWith(id))));

  it('begins with what comes from now on, and reads on page by page', async () => {
    const shard = stream.add('a');
    shard.tell(record('old'));
    follower.start();
    await begins('a');
    shard.tell(...['1', '2', '3', '4', '5'].map(record));
    await until(() => found.length === 5);
    expect(found).toEqual(['1', '2', '3', '4', '5']);
    expect(stream.places).toEqual(['a latest']);
  });

  it('reads a shard that begins later from its oldest record, and not before its parent is read to its end', async () => {
    const parent = stream.add('parent');
    follower.start();
    await begins('parent');
    parent.tell(...['1', '2', '3', '4', '5'].map(record));
    for (const id of ['left', 'right']) stream.add(id, parent).tell(record(id));
    stream.add('below', stream.all.get('left')!).tell(record('below'));
    await until(() => found.length === 5);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(stream.places).toEqual(['parent latest']);
    parent.closed = true;
    await until(() => found.length === 7);
    expect(found.slice(5).toSorted()).toEqual(['left', 'right']);
    stream.all.get('left')!.closed = true;
    await until(() => found.length === 8);
    expect(found.at(-1)).toBe('below');
  });

  it('reads a shard whose parent is gone from the stream', async () => {
    stream.add('a');
    follower.start();
    await begins('a');
    stream.addOrphan('orphan').tell(record('1'));
    await until(() => found.length === 1);
    expect(stream.places).toContain('orphan oldest');
  });

  it('goes on behind the last record where an iterator has expired', async () => {
    const shard = stream.add('a');
    follower.start();
    await begins('a');
    shard.tell(record('1'), record('2'));
    await until(() => found.length === 2);
    stream.failures.push(new IteratorExpiredError());
    shard.tell(record('3'));
    await until(() => found.length === 3);
    expect(found).toEqual(['1', '2', '3']);
    expect(stream.places).toEqual(['a latest', 'a after 2']);
    expect([missed, reports]).toEqual([0, []]);
  });

  it('has the feed read where an iterator expired before it gave a record', async () => {
    stream.add('a');
    follower.start();
    await begins('a');
    stream.failures.push(new IteratorExpiredError());
    await until(() => stream.places.length === 2);
    expect([missed, reports]).toEqual([1, []]);
  });

  it('says so where records were trimmed, has the feed read, and goes on with the oldest that there is', async () => {
    const shard = stream.add('a');
    follower.start();
    await begins('a');
    shard.tell(record('1'));
    await until(() => found.length === 1);
    stream.failures.push(new RecordsTrimmedError());
    await until(() => missed === 1);
    expect(reports).toEqual([expect.stringContaining('come from the feed')]);
    await until(() => stream.places.length === 2);
    expect(stream.places[1]).toBe('a oldest');
  });

  it('waits while the stream cannot be read, and says so now and then', async () => {
    const shard = stream.add('a');
    follower.start();
    await begins('a');
    for (let count = 0; count < 3; count++) stream.failures.push(new EventStoreUnavailableError('No answer.'));
    shard.tell(record('1'));
    await until(() => found.length === 1);
    expect(reports).toEqual([expect.stringContaining('No answer.')]);
  });

  it('lets go of a shard that is gone, and ends when it is told to', async () => {
    stream.add('a');
    stream.add('b');
    follower.start();
    await begins('a', 'b');
    stream.all.delete('a');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    // It may be met once more before it is missed.
    expect(stream.readsOfNothing).toBeLessThanOrEqual(2);
    await follower.stop();
    const { reads } = stream;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(stream.reads).toBe(reads);
    follower.start();
    await until(() => stream.reads > reads);
  });

  it('ends at once, although its next look is far', async () => {
    const far = { ...TIMING, lookEveryMs: 60_000 };
    const patient = new StreamFollower(
      stream,
      () => {},
      () => {},
      () => {},
      far,
    );
    stream.add('a');
    patient.start();
    await until(() => stream.reads > 0);
    await patient.stop();
    const { reads } = stream;
    await new Promise(setImmediate);
    expect(stream.reads).toBe(reads);
  });
});

describe('a subscription with a stream', () => {
  const registry = new EventRegistry().register(MoneyDeposited);
  const PLAN = {
    name: 'seen',
    aggregateTypes: ['account'],
    from: 0,
    concurrency: 4,
    attempts: 1,
    poison: 'stop-aggregate',
  } as const;
  const open: Subscriptions[] = [];
  let store: InMemoryEventStore;
  let bookkeeping: InMemoryBookkeeping;
  let stream: FakeStream;
  let whileReading: (() => Promise<void>) | undefined;
  let seen: StoredEvent[];
  let failing: (event: StoredEvent) => boolean;

  beforeEach(() => {
    store = new InMemoryEventStore(registry);
    bookkeeping = new InMemoryBookkeeping();
    stream = new FakeStream(PAGE);
    stream.add('a');
    seen = [];
    failing = () => false;
    whileReading = undefined;
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((subscriptions) => subscriptions.stop()));
  });

  /** @param pollMs how often the feed is read */
  async function start(pollMs: number, from = 0): Promise<Subscriptions> {
    const timing = { marginMs: 1, backtrackMs: 60_000, pollMs, leaseMs: 60_000 };
    const feed = new InMemoryEventFeed(store);
    const read = feed.read.bind(feed);
    feed.read = async (...args) => {
      const page = await read(...args);
      await whileReading?.();
      return page;
    };
    const subscriptions = new Subscriptions(feed, bookkeeping, registry, timing, () => {});
    subscriptions.add(
      { ...PLAN, from },
      {
        batch: 1,
        wants: () => true,
        handle: async (events) => {
          if (events.some(failing)) throw new Error('The view is broken.');
          seen.push(...events);
        },
      },
    );
    subscriptions.follow(stream, TIMING);
    open.push(subscriptions);
    const places = stream.places.length;
    subscriptions.start();
    await until(async () => {
      const [entry] = await bookkeeping.entries<{ owner?: string }>(['subscription', 'seen']);
      return entry?.value.owner !== undefined && stream.places.length > places;
    });
    // The feed is read once by now.
    await new Promise((resolve) => setTimeout(resolve, 30));
    return subscriptions;
  }

  async function append(aggregateId: string, events: number): Promise<readonly StoredEvent[]> {
    const id = { aggregateType: 'account', aggregateId };
    const stored = store.storedEvents(id).length;
    for (let at = 0; at < events; at++) {
      await store.append(id, [new MoneyDeposited(1)], { expectedVersion: stored + at });
    }
    return store.storedEvents(id).slice(stored);
  }

  const tell = (...events: readonly StoredEvent[]) =>
    stream.all.get('a')!.tell(...events.map((event) => () => eventRecord(event)));
  const versions = () => seen.map(({ version }) => version);

  it('handles records in order whichever way they come, and what they leave out', async () => {
    await start(60_000);
    const [first, second, , fourth] = await append('x', 4);
    tell(second!, first!);
    await until(() => seen.length === 2);
    tell(fourth!, second!);
    await until(() => seen.length === 4);
    expect(versions()).toEqual([1, 2, 3, 4]);
  });

  it('handles nothing that is older than where it begins', async () => {
    const from = Date.now() + 2000;
    await start(60_000, from);
    const early = await append('x', 1);
    tell(...early);
    await new Promise((resolve) => setTimeout(resolve, from - Date.now() + 5));
    expect(seen).toEqual([]);
    tell(...(await append('x', 1)));
    await until(() => seen.length === 1);
    expect(versions()).toEqual([2]);
  });

  it('handles nothing again that the feed shows later, nor after a restart', async () => {
    const subscriptions = await start(60_000);
    tell(...(await append('x', 3)));
    await until(() => seen.length === 3);
    await new Promise((resolve) => setTimeout(resolve, 10));
    subscriptions.wake();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await subscriptions.stop();
    for (let restarts = 0; restarts < 3; restarts++) {
      const again = await start(5);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await again.stop();
    }
    expect(versions()).toEqual([1, 2, 3]);
  });

  it('handles at once what comes while the feed is read', async () => {
    const subscriptions = await start(60_000);
    whileReading = async () => {
      whileReading = undefined;
      tell(...(await append('x', 1)));
      await new Promise((resolve) => setTimeout(resolve, 50));
    };
    subscriptions.wake();
    await until(() => seen.length === 1);
  });

  it('gets from the feed what the stream never tells, and at once where it was trimmed', async () => {
    await start(60_000);
    await append('x', 3);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen).toEqual([]);
    stream.failures.push(new RecordsTrimmedError());
    await until(() => seen.length === 3);
  });

  it('parks an event whose handler fails, and holds back those behind it', async () => {
    const subscriptions = await start(60_000);
    failing = ({ version }) => version === 2;
    tell(...(await append('x', 3)));
    await until(async () => (await subscriptions.parked('seen')).length === 1);
    failing = () => false;
    await subscriptions.retry((await subscriptions.parked('seen'))[0]!);
    await until(() => seen.length === 3);
    expect(versions()).toEqual([1, 2, 3]);
  });

  it('brings what was offered and then given up by the feed', async () => {
    await start(20);
    const events = await append('x', 3);
    let outages = 2;
    failing = () => {
      if (outages-- > 0) throw new EventStoreUnavailableError('gone');
      return false;
    };
    tell(...events);
    await until(() => seen.length === 3);
    expect(versions()).toEqual([1, 2, 3]);
  });
});

describe('a version that passed the gate before the feed has shown it', () => {
  it('stays remembered until what the feed shows is settled', async () => {
    const feed = new InMemoryEventFeed(new InMemoryEventStore(new EventRegistry()));
    const [settled, lead, shown] = [positionAt(0), positionAt(1000), `${positionAt(5000)}#x`];
    const gate = new Gate(feed, { settled, lead, recent: { x: 3 } });
    const event = { version: 3, eventTime: 5000 } as StoredEvent;
    expect(await gate.admit('x', { position: shown, event }, undefined)).toBeUndefined();
    gate.settle(positionAt(4000));
    expect(gate.recent(10)).toEqual({ x: 3 });
    gate.settle(positionAt(6000));
    expect(gate.recent(10)).toEqual({});
  });
});
