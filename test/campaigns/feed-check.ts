import { setTimeout as sleep } from 'node:timers/promises';
import { SUBSCRIPTION_SOURCES, type SubscriptionProcess } from '../sources/subscription-source.js';
import { SubscriptionWorld } from '../sources/subscription-world.js';
import { campaign } from './campaign.js';
import { FirstDeliveries } from './feed-check/first-deliveries.js';
import { Random } from './random.js';

const DEFAULTS = {
  /** How events reach the subscription: feed, streams or lambda. */
  source: 'feed',
  events: 100_000,
  aggregates: 3000,
  /** How long the writers take. */
  seconds: 180,
  /** One entry of the index in so many is late. */
  lateOnceIn: 1000,
  lateMs: 60_000,
  skewMs: 100,
  /** How many times faster everything happens than it would: margin, backtracking and lateness alike. */
  pace: 1,
};

const WRITERS = 4;
const TICK_MS = 5;
/** So often in the course of it, a process comes or goes, and the shards of the stream are others. */
const CHANGES = 20;
const MANY_SHARDS = 4;
/** A transaction of several events is one in so many. */
const SEVERAL_ONCE_IN = 5;
const MISHAPS = { unstartedOnceIn: 20, unheardOnceIn: 20, hurriedOnceIn: 20 };
const PLAN = { aggregateTypes: ['account'], from: 0, concurrency: 16, attempts: 50, poison: 'stop-aggregate' } as const;

export const feedCheck = campaign({
  about:
    'Writes to a feed that shows entries late and by skewed clocks, and to a stream whose shards split; by one of them, or by Lambda, processes that come and go get each event: none may be missing or out of order.',
  defaults: DEFAULTS,

  async run({ source, events, aggregates, seconds, lateOnceIn, lateMs, skewMs, pace }, { seed, progress }) {
    if (!isSource(source)) throw new TypeError(`--source must be ${Object.keys(SUBSCRIPTION_SOURCES).join(' or ')}.`);
    const random = new Random(seed);
    const pollMs = source === 'streams' ? 2000 : 500;
    const timing = { marginMs: 1000 / pace, backtrackMs: 120_000 / pace, pollMs: Math.max(2, pollMs / pace) };
    const world = new SubscriptionWorld({
      random: random.fork(),
      untidiness: { usualLagMs: 50 / pace, lateOnceIn, lateMs: lateMs / pace },
      timing: { ...timing, leaseMs: 3000 / Math.min(pace, 3) },
      streamTiming: { readEveryMs: 200 / pace, lookEveryMs: 15_000 / pace },
      mishaps: MISHAPS,
    });
    const deliveries = new FirstDeliveries(random.fork());
    const start = () =>
      SUBSCRIPTION_SOURCES[source].start(world, (subscriptions) =>
        subscriptions.add({ ...PLAN, name: 'check' }, deliveries),
      );
    let lasting = start();
    let passing: SubscriptionProcess | undefined;
    const changeProcesses = async () => {
      // A mapping has one function.
      if (source === 'lambda') {
        await lasting.stop();
        lasting = start();
        return;
      }
      await passing?.stop();
      passing = passing ? undefined : start();
    };
    const skews = Array.from({ length: WRITERS }, () => ((random.next() * 2 - 1) * skewMs) / pace);
    const changes = () => random.chance(TICK_MS / ((seconds * 1000) / CHANGES));
    const begun = performance.now();
    let written = 0;
    let restarts = 0;
    while (written < events) {
      const due = Math.min(events, Math.ceil(((performance.now() - begun) / (seconds * 1000)) * events));
      while (written < due) {
        const stream = { aggregateType: 'account', aggregateId: String(random.below(aggregates)) };
        const several = random.below(SEVERAL_ONCE_IN) === 0 ? 2 + random.below(3) : 1;
        const size = Math.min(several, events - written);
        world.write(stream, { clock: Date.now() + random.pick(skews), events: size, reversed: random.chance(0.5) });
        written += size;
      }
      if (changes()) {
        await changeProcesses();
        restarts++;
      }
      if (changes()) changeShards(world, random);
      if (changes()) world.stream.expireIterators();
      progress(written, events, `${deliveries.first} delivered`);
      await sleep(TICK_MS);
    }
    const patience = Date.now() + (timing.backtrackMs * 5) / 4 + lateMs / pace + 10_000;
    while (deliveries.first < events && Date.now() < patience) await sleep(TICK_MS);
    await Promise.all([lasting.stop(), passing?.stop()]);
    const violations = [...world.reports, ...deliveries.violations];
    if (deliveries.first !== events) violations.push(`${events - deliveries.first} events were not delivered.`);
    return {
      violations,
      figures: {
        source,
        events,
        aggregates,
        late: world.feed.late,
        shards: world.stream.all.size,
        restarts,
        delivered: deliveries.first,
        again: deliveries.again,
      },
    };
  },
});

function isSource(name: string): name is keyof typeof SUBSCRIPTION_SOURCES {
  return Object.hasOwn(SUBSCRIPTION_SOURCES, name);
}

function changeShards({ stream }: SubscriptionWorld, random: Random): void {
  if (stream.open.length < MANY_SHARDS) stream.split(random.pick(stream.open));
  else stream.merge(random.sample(stream.open, 2));
}
