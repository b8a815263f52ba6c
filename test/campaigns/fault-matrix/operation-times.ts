import type { EventStore } from '../../../src/index.js';

/** Hears how long something took that has one deadline, in milliseconds. */
export type HearTime = (operation: string, milliseconds: number) => void;

/** Times everything in a store that has a deadline of its own: operations, and the steps of a read. */
export function timeOperations(store: EventStore, hear: HearTime): void {
  async function timed<T>(operation: string, run: () => Promise<T>, started = performance.now()): Promise<T> {
    try {
      return await run();
    } finally {
      hear(operation, performance.now() - started);
    }
  }

  /** @param started when the deadline of all events began; none when each has its own */
  async function* timedSteps<T>(
    operation: string,
    events: AsyncIterable<T>,
    started?: number,
  ): AsyncGenerator<T, void> {
    const iterator = events[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await timed(operation, () => iterator.next(), started);
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  const commit = store.commit.bind(store);
  const outcomeOf = store.outcomeOf.bind(store);
  const readVersions = store.readVersions.bind(store);
  const query = store.query.bind(store);
  const findIdempotencyRecord = store.findIdempotencyRecord.bind(store);
  const readSinceSnapshot = store.readSinceSnapshot.bind(store);
  const saveSnapshot = store.saveSnapshot.bind(store);
  store.commit = (...args) => timed('commit', () => commit(...args));
  store.outcomeOf = (...args) => timed('outcomeOf', () => outcomeOf(...args));
  store.saveSnapshot = (...args) => timed('saveSnapshot', () => saveSnapshot(...args));
  store.findIdempotencyRecord = (key) => timed('findIdempotencyRecord', () => findIdempotencyRecord(key));
  // All reads of repositories, and `read`, go through it.
  store.readVersions = (stream, range) =>
    timedSteps('read', readVersions(stream, range), range?.deadlineFor === 'read' ? performance.now() : undefined);
  store.query = (...args) => timedSteps('query', query(...args));
  store.readSinceSnapshot = async (...args) => {
    const started = performance.now();
    const since = await timed('readSinceSnapshot', () => readSinceSnapshot(...args), started);
    return {
      ...since,
      events: timedSteps('read', since.events, started),
      allEvents: timedSteps('read', since.allEvents, started),
    };
  };
}
