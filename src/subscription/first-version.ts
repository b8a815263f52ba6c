import type { EventFeed } from '../store/event-feed.js';
import type { StoredEvent } from '../store/stored-event.js';

/**
 * The first version of an event's stream that is not older than a time, up to the event itself, which is not.
 *
 * @param time milliseconds since 1970
 * @param lowest no earlier version is of interest
 */
export async function firstVersionSince(
  feed: EventFeed,
  { stream, version }: Pick<StoredEvent, 'stream' | 'version'>,
  time: number,
  lowest = 1,
): Promise<number> {
  let first = version;
  // Most often the version before is older, and one event is all that is read.
  for (let limit = 1; first > lowest; limit *= 10) {
    const range = { fromVersion: lowest, toVersion: first - 1, direction: 'backward' as const, limit };
    for await (const { version: earlier, eventTime } of feed.readStream(stream, range)) {
      if (eventTime < time) return first;
      first = earlier;
    }
  }
  return first;
}
