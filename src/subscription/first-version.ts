import type { EventFeed } from '../store/event-feed.js';
import type { StoredEvent } from '../store/stored-event.js';
import { isOutage } from './backoff.js';

export interface FirstVersion {
  readonly version: number;
  /** False where one of the versions from here on could not be read, so that nobody knows where it lies. */
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
  let isCertain = true;
  // Most often the version before is older, and one event is all that is read.
  for (let limit = 1; first > lowest; limit *= 10) {
    const range = { fromVersion: lowest, toVersion: first - 1, direction: 'backward' as const, limit };
    const before = first;
    try {
      for await (const earlier of feed.readStream(stream, range)) {
        if (feed.positionOf(earlier) <= position) return { version: first, isCertain };
        first = earlier.version;
      }
      // None of those before is there.
      if (first === before) return { version: first - 1, isCertain: false };
    } catch (error) {
      if (isOutage(error)) throw error;
      // The next one cannot be read. It counts as behind, and those before it may be.
      first--;
      isCertain = false;
    }
  }
  return { version: first, isCertain };
}
