import type { EventFeed } from '../store/event-feed.js';
import type { StoredEvent } from '../store/stored-event.js';
import { isOutage } from './backoff.js';

export interface FirstVersion {
  readonly version: number;
  /** False where nothing is known of this version, as it cannot be read, nor of those before it. */
  readonly isCertain: boolean;
}

/**
 * The first version of an event's stream that lies behind a position of the feed, up to the event itself, which does.
 *
 * @param lowest no earlier version is of interest
 * @throws EventStoreUnavailableError
 */
export async function firstVersionBehind(
  feed: EventFeed,
  { stream, version }: Pick<StoredEvent, 'stream' | 'version'>,
  position: string,
  lowest = 1,
): Promise<FirstVersion> {
  let first = version;
  // Most often the version before is older, and one event is all that is read.
  for (let limit = 1; first > lowest; limit *= 10) {
    const range = { fromVersion: lowest, toVersion: first - 1, direction: 'backward' as const, limit };
    const before = first;
    try {
      for await (const earlier of feed.readStream(stream, range)) {
        if (feed.positionOf(earlier) <= position) return { version: first, isCertain: true };
        first = earlier.version;
      }
    } catch (error) {
      if (isOutage(error)) throw error;
      return { version: first - 1, isCertain: false };
    }
    if (first === before) return { version: first - 1, isCertain: false };
  }
  return { version: first, isCertain: true };
}
