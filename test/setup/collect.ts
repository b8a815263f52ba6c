import type { RecordedEvent, RecordedVersion } from '../../src/index.js';

/** All that an async iterable gives. (`Array.fromAsync` is not in Node 20.) */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** All events of versions that were read. */
export async function collectEvents(versions: AsyncIterable<RecordedVersion>): Promise<RecordedEvent[]> {
  return (await collect(versions)).flatMap(({ events }) => events);
}
