import type { EventRegistry } from '../event/event-registry.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import type { StreamId } from '../event/stream-id.js';
import { END_OF_TIME, positionAt } from '../store/event-feed.js';
import type { ReadRange } from '../store/event-store.js';
import { recordedVersionFrom } from '../store/stored-event.js';
import { Gate, streamHash } from './gate.js';
import { checkpointAt, leaseOf } from './leases.js';
import type { SubscriptionRun } from './subscription-run.js';

/** What is stored and not handled, by the checkpoints: the feed, and then parked events and what waits behind them. */
export async function* pendingEvents(
  { plan, partitions, leases, parking, feed, timing }: SubscriptionRun,
  registry: EventRegistry,
): AsyncIterable<RecordedEvent> {
  const [all, parked] = await Promise.all([leases.all(), parking.list()]);
  const waiting = parked.filter(({ parked: { poison } }) => poison !== 'stop-subscription');
  const skipped = new Set<string>();
  const held = new Map<string, number>();
  for (const { key, parked: each } of waiting) {
    if (each.poison === 'stop-aggregate') held.set(key, Math.min(each.fromVersion, held.get(key) ?? Infinity));
    else skipped.add(`${key}#${each.version}`);
  }
  async function* recordedIn(stream: StreamId, key: string, range: ReadRange): AsyncIterable<RecordedEvent> {
    for await (const event of feed.readStream(stream, range)) {
      if (!skipped.has(`${key}#${event.version}`)) yield* recordedVersionFrom(event, registry).events;
    }
  }
  for (const partition of partitions) {
    const checkpoint = leaseOf(all, partition)?.checkpoint ?? checkpointAt(plan.from);
    const gate = new Gate(feed, checkpoint);
    for (let from = checkpoint.settled, more = true; more;) {
      // What is younger may have neighbours that the feed shows only later.
      const completeUntil = Date.now() - timing.backtrackMs;
      const page = await feed.read(partition, from, END_OF_TIME);
      for (const found of page.events) {
        const { stream, version: toVersion } = found.event;
        const key = streamHash(stream);
        if (toVersion >= (held.get(key) ?? Infinity)) continue;
        const admitted = await gate.admit(key, found, found.event.eventTime <= completeUntil ? 'shown' : undefined);
        if (admitted) yield* recordedIn(stream, key, { fromVersion: admitted.fromVersion, toVersion });
      }
      more = page.more;
      from = page.events.at(-1)?.position ?? from;
      gate.settle(min(from, positionAt(completeUntil)));
    }
  }
  // Behind those before them, which come again after a reset; and behind all others, as some cannot be read.
  for (const { parked: each } of waiting) {
    const { stream, fromVersion, version, poison } = each;
    const range = poison === 'skip' ? { fromVersion, toVersion: version } : { fromVersion };
    for await (const event of feed.readStream(stream, range)) yield* recordedVersionFrom(event, registry).events;
  }
}

function min(one: string, other: string): string {
  return one < other ? one : other;
}
