import { setTimeout as sleep } from 'node:timers/promises';
import { EventRegistry } from '../../src/index.js';
import { InMemoryBookkeeping } from '../../src/store/in-memory-bookkeeping.js';
import { Subscriptions } from '../../src/subscription/subscriptions.js';
import { campaign } from './campaign.js';
import { FirstDeliveries } from './feed-check/first-deliveries.js';
import { UntidyFeed } from '../sources/untidy-feed.js';
import { Random } from './random.js';

const DEFAULTS = {
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
const PLAN = { aggregateTypes: ['account'], from: 0, concurrency: 16, attempts: 50, poison: 'stop-aggregate' } as const;

export const feedCheck = campaign({
  about:
    'Writes to a feed that shows entries late and by skewed clocks, to two processes that come and go: no event may be missing or out of order.',
  defaults: DEFAULTS,

  async run({ events, aggregates, seconds, lateOnceIn, lateMs, skewMs, pace }, { seed, progress }) {
    const random = new Random(seed);
    const feed = new UntidyFeed(random.fork(), { usualLagMs: 50 / pace, lateOnceIn, lateMs: lateMs / pace });
    const bookkeeping = new InMemoryBookkeeping();
    const deliveries = new FirstDeliveries(random.fork());
    const violations: string[] = [];
    const timing = { marginMs: 1000 / pace, backtrackMs: 120_000 / pace, pollMs: Math.max(2, 500 / pace) };
    const start = () => {
      const options = { ...timing, leaseMs: 3000 / Math.min(pace, 10) };
      const report = (message: string) => violations.push(message);
      const subscriptions = new Subscriptions(feed, bookkeeping, new EventRegistry(), options, report);
      subscriptions.add({ ...PLAN, name: 'check' }, deliveries);
      subscriptions.start();
      return subscriptions;
    };
    const lasting = start();
    let passing: Subscriptions | undefined;
    const skews = Array.from({ length: WRITERS }, () => ((random.next() * 2 - 1) * skewMs) / pace);
    const begun = performance.now();
    let written = 0;
    let restarts = 0;
    while (written < events) {
      const due = Math.min(events, Math.ceil(((performance.now() - begun) / (seconds * 1000)) * events));
      for (; written < due; written++) {
        const aggregateId = String(random.below(aggregates));
        feed.append({ aggregateType: 'account', aggregateId }, Date.now() + random.pick(skews));
      }
      if (random.chance(TICK_MS / ((seconds * 1000) / 20))) {
        await passing?.stop();
        passing = passing ? undefined : start();
        restarts++;
      }
      progress(written, events, `${deliveries.first} delivered`);
      await sleep(TICK_MS);
    }
    const patience = Date.now() + (timing.backtrackMs * 5) / 4 + lateMs / pace + 10_000;
    while (deliveries.first < events && Date.now() < patience) await sleep(TICK_MS);
    await Promise.all([lasting.stop(), passing?.stop()]);
    violations.push(...deliveries.violations);
    if (deliveries.first !== events) violations.push(`${events - deliveries.first} events were not delivered.`);
    return {
      violations,
      figures: { events, aggregates, late: feed.late, restarts, delivered: deliveries.first, again: deliveries.again },
    };
  },
});
