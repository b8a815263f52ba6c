import { expect, it } from '@jest/globals';
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
