import { describe, expect, it } from '@jest/globals';
import { CorruptStreamError, EventStoreUnavailableError } from '../../src/index.js';
import { positionAt } from '../../src/store/event-feed.js';
import { Gate, streamHash } from '../../src/subscription/gate.js';
import { checkpointAt } from '../../src/subscription/leases.js';
import { usedHeap } from '../campaigns/used-heap.js';
import { newWorld, streamOf } from '../contract/subscription-source-contract.js';

it('names in a checkpoint what has passed at the settled position, as the feed is read from there again', async () => {
  const world = newWorld();
  const stream = streamOf('a');
  const event = world.write(stream, { clock: 1000 })[0]!;
  const gate = new Gate(world.feed, checkpointAt(0));
  const position = `${positionAt(1000)}#a`;
  expect(await gate.admit(streamHash(stream), { position, event }, 'shown')).toMatchObject({ fromVersion: 1 });
  gate.settle(position);
  expect(gate.recent(10)).toEqual({ [streamHash(stream)]: 1 });
  gate.settle(positionAt(2000));
  expect(gate.recent(10)).toEqual({});
});

it('keeps what another has left ahead of its place until all of it has come again', () => {
  const { feed } = newWorld();
  const left = { settled: positionAt(1000), lead: positionAt(1000), recent: { a: 1, b: 5 } };
  const gate = new Gate(feed, { ...left, recentUntil: `${positionAt(5000)}#b` });
  gate.settle(positionAt(4999));
  expect([gate.recent(10), gate.recentUntil]).toEqual([left.recent, `${positionAt(5000)}#b`]);
  gate.settle(positionAt(5001));
  expect(gate.recent(10)).toEqual({});
});

describe('where nothing is known of a stream, the gate begins with', () => {
  const stream = streamOf('a');
  const key = streamHash(stream);

  /** Three versions, the second of them at that time. */
  function newStream() {
    const world = newWorld();
    for (const clock of [1000, 2000, 3000]) world.write(stream, { clock });
    return world;
  }

  async function begin({ feed }: ReturnType<typeof newWorld>, settled: string): Promise<number> {
    const event = { stream, version: 3, eventTime: 3000 };
    const gate = new Gate(feed, { settled, lead: settled, recent: {} });
    return (await gate.admit(key, { position: feed.positionOf(event), event }, undefined))!.fromVersion;
  }

  it('what has the very time from which on the feed is read', async () => {
    expect(await begin(newStream(), positionAt(2000))).toBe(2);
    expect(await begin(newStream(), positionAt(2001))).toBe(3);
  });

  it('what comes behind the settled event of that very time', async () => {
    const world = newStream();
    expect(await begin(world, world.feed.positionOf({ stream, eventTime: 2000 }))).toBe(3);
    expect(await begin(world, `${positionAt(2000)}# of another`)).toBe(2);
  });

  it('its commit, of which a stream has told from the end, though it comes later than the feed could show it', async () => {
    const world = newWorld();
    const { feed } = world;
    world.write(stream, { clock: 1000 });
    const [, , event] = world.write(stream, { clock: 2000, events: 3 });
    const gate = new Gate(feed, checkpointAt(60_000));
    const found = { position: feed.positionOf(event!), event: event! };
    expect(await gate.admit(key, found, 'told')).toMatchObject({ fromVersion: 2 });
    // The feed begins where it was told to, also in the middle of a commit.
    const other = new Gate(feed, checkpointAt(2001));
    expect(await other.admit(key, found, undefined)).toMatchObject({ fromVersion: 3 });
  });

  it('what cannot be read, as it may not have been handled', async () => {
    const world = newStream();
    const { feed } = world;
    const readStream = feed.readStream.bind(feed);
    feed.readStream = async function* (...args) {
      for await (const event of readStream(...args)) {
        if (event.version === 2) throw new CorruptStreamError('It is damaged.');
        yield event;
      }
    };
    expect(await begin(world, positionAt(0))).toBe(1);
    expect(await begin(world, positionAt(1500))).toBe(2);
    expect(await begin(world, positionAt(2500))).toBe(2);
  });

  it('what is not there', async () => {
    const world = newStream();
    world.feed.readStream = async function* () {};
    expect(await begin(world, positionAt(0))).toBe(2);
  });

  it('nothing while the database is out of reach', async () => {
    const world = newStream();
    world.feed.readStream = () => {
      throw new EventStoreUnavailableError('It is away.');
    };
    await expect(begin(world, positionAt(0))).rejects.toThrow(EventStoreUnavailableError);
  });
});

it('keeps no more of streams that go on and on than where they stand', async () => {
  const { feed } = newWorld();
  const gate = new Gate(feed, checkpointAt(0));
  const keys = Array.from({ length: 100 }, (_, index) => streamHash(streamOf(`s-${index}`)));
  const goOn = async (from: number, to: number) => {
    for (let version = from; version <= to; version++) {
      const event = { stream: streamOf('any'), version, eventTime: version };
      for (const key of keys) await gate.admit(key, { position: `${positionAt(version)}#${key}`, event }, 'shown');
      gate.settle(positionAt(version));
    }
  };
  await goOn(1, 100);
  const before = usedHeap();
  await goOn(101, 1100);
  expect(usedHeap() - before).toBeLessThan(2 * 2 ** 20);
});

describe('of very many streams, the gate', () => {
  const world = newWorld();
  const at = (time: number) => ({ eventTime: time, version: 1 });
  const streams = Array.from({ length: 12_000 }, (_, index) => streamOf(`s-${index}`));

  async function pass(gate: Gate, index: number, time: number): Promise<boolean> {
    const event = { stream: streams[index]!, ...at(time) };
    const position = world.feed.positionOf(event);
    return (await gate.admit(streamHash(event.stream), { position, event }, 'shown')) !== undefined;
  }

  it('keeps the one at the settled position, as the feed is read from there again', async () => {
    const gate = new Gate(world.feed, checkpointAt(0));
    const settled = 1_000_000;
    await pass(gate, 0, settled);
    for (let index = 1; index < streams.length; index++) await pass(gate, index, 1000 + index);
    gate.settle(world.feed.positionOf({ stream: streams[0]!, eventTime: settled }));
    expect(await pass(gate, 0, settled)).toBe(false);
    expect(gate.passedOf(streamHash(streams[1]!))).toBeUndefined();
  });

  it('forgets those that are settled, though many that went on long ago are not', async () => {
    const gate = new Gate(world.feed, checkpointAt(0));
    // As parked events are, that were settled while the feed catches up.
    for (let index = 0; index < 1000; index++) gate.pass(streamHash(streams[index]!), 1, positionAt(1_000_000));
    for (let index = 1000; index < streams.length; index++) await pass(gate, index, 1000 + index);
    for (let times = 0; times < 3; times++) gate.settle(positionAt(500_000));
    const known = streams.filter((stream) => gate.passedOf(streamHash(stream)) !== undefined);
    expect(known).toHaveLength(10_000);
    expect(gate.passedOf(streamHash(streams[0]!))).toBeDefined();
  });

  it('names those in a checkpoint that went on last', async () => {
    const gate = new Gate(world.feed, checkpointAt(0));
    for (const index of streams.keys()) await pass(gate, index, 1000 + index);
    gate.settle(positionAt(500));
    expect(gate.recent(1)).toEqual({ [streamHash(streams.at(-1)!)]: 1 });
  });
});
