import type { FeedPace } from '../store/event-feed.js';
import type { SubscriptionsOptions } from '../subscription/subscriptions.js';
import { InvalidConfigurationError, type EventStoreSettings } from './event-store-options.js';

/** How often the feed is read where a stream tells of events sooner. */
const POLL_BESIDE_STREAM_MS = 2000;

/** How late the index and the clocks of writers may make an event, beside the time that its commit takes. */
const LATE_BESIDE_DEADLINE_MS = 60_000;

/**
 * The options of subscriptions with their defaults. A commit may be stored as late as `deadlineMs` after the time of its
 * events, so backtracking goes further back than that.
 *
 * @throws InvalidConfigurationError
 */
export function subscriptionTiming(
  { storage, deadlineMs, subscriptions }: Pick<EventStoreSettings, 'storage' | 'deadlineMs' | 'subscriptions'>,
  pace: FeedPace,
): SubscriptionsOptions {
  const backtrackMs = Math.max(120_000, Math.ceil(deadlineMs) + LATE_BESIDE_DEADLINE_MS);
  const hasStream = storage === 'dynamodb' && subscriptions.source === 'streams';
  const beside = hasStream ? { pollMs: POLL_BESIDE_STREAM_MS } : {};
  const timing = { backtrackMs, leaseMs: 15_000, ...pace, ...beside, ...subscriptions };
  if (timing.marginMs >= timing.backtrackMs) {
    throw new InvalidConfigurationError(
      `subscriptions.backtrackMs must be above marginMs (${timing.marginMs}): it says how late an event may show, after it should have been read.`,
    );
  }
  return timing;
}
