import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, expect, it } from '@jest/globals';
import type { StoredEvent } from '../../src/store/stored-event.js';
import type { Subscriptions } from '../../src/subscription/subscriptions.js';
import { newWorld, PLAN, streamOf } from '../contract/subscription-source-contract.js';
import { until } from '../setup/until.js';
import { SeenEvents } from '../sources/seen-events.js';

const open: Subscriptions[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((subscriptions) => subscriptions.stop()));
});

/** As a command has it: with it, a handler would work for that command. */
const context = new AsyncLocalStorage<string>();

class SeenInContext extends SeenEvents {
  readonly contexts: (string | undefined)[] = [];

  override async handle(events: readonly StoredEvent[]): Promise<void> {
    this.contexts.push(context.getStore());
    await super.handle(events);
  }
}

it.each(['resume', 'reset'] as const)('handles events outside of the context in which %s was called', async (what) => {
  const [world, seen] = [newWorld(), new SeenInContext()];
  const subscriptions = world.newSubscriptions();
  open.push(subscriptions);
  subscriptions.add({ ...PLAN, name: 'seen', attempts: 1, poison: 'stop-aggregate' }, seen);
  subscriptions.start();
  if (what === 'resume') await subscriptions.pause('seen');
  await context.run('of a command', () =>
    what === 'resume' ? subscriptions.resume('seen') : subscriptions.reset('seen', new Date(0)),
  );
  world.write(streamOf('a'));
  await until(() => seen.of('a').length === 1);
  expect(seen.contexts).toEqual([undefined]);
});

it('renews by the time of the last look, and not of its end', async () => {
  const world = newWorld({ leaseMs: 900 });
  const [subscriptions, seen] = [world.newSubscriptions(), new SeenEvents()];
  open.push(subscriptions);
  subscriptions.add({ ...PLAN, name: 'seen', attempts: 1, poison: 'stop-aggregate' }, seen);
  const { bookkeeping } = world;
  const write = bookkeeping.write.bind(bookkeeping);
  const renewals: number[] = [];
  bookkeeping.write = async (subject, ...args) => {
    if (subject[0] === 'workers') {
      renewals.push(performance.now());
      // As DynamoDB is now and then.
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return write(subject, ...args);
  };
  subscriptions.start();
  await until(() => renewals.length === 4);
  const between = renewals.slice(1).map((time, index) => time - renewals[index]!);
  // A third of the lease, of which the renewal itself takes two thirds.
  expect(Math.min(...between)).toBeLessThan(400);
});
