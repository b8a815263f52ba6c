import { describe, expect, it } from '@jest/globals';
import { CorruptStreamError, EventStoreUnavailableError } from '../../src/index.js';
import { positionAt } from '../../src/store/event-feed.js';
import { Gate, streamHash } from '../../src/subscription/gate.js';
import { newWorld, streamOf } from '../contract/subscription-source-contract.js';

it('names in a checkpoint what has passed at the settled position, as the feed is read from there again', async () => {
  const world = newWorld();
  const stream = streamOf('a');
  const event = world.write(stream, { clock: 1000 })[0]!;
  const gate = new Gate(world.feed, positionAt(0), {}, positionAt(0));
  const position = `${positionAt(1000)}#a`;
  expect(await gate.admit(streamHash(stream), { position, event }, true)).toMatchObject({ fromVersion: 1 });
  gate.settle(position);
  expect(gate.recent(10)).toEqual({ [streamHash(stream)]: 1 });
  gate.settle(positionAt(2000));
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
    const gate = new Gate(feed, settled, {}, settled);
    return (await gate.admit(key, { position: feed.positionOf(event), event }, false))!.fromVersion;
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

  it('what cannot be read, as it may not have been handled', async () => {
    const world = newStream();
    const { feed } = world;
    const readStream = feed.readStream.bind(feed);
    feed.readStream = async function* (...args) {
      for await (const event of readStream(...args)) {
        if (event.version === 1) throw new CorruptStreamError('It is damaged.');
        yield event;
      }
    };
    expect(await begin(world, positionAt(0))).toBe(1);
    expect(await begin(world, positionAt(2500))).toBe(3);
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
