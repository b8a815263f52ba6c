import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { EventRegistry, EventStoreUnavailableError, InMemoryEventStore } from '../../src/index.js';
import { SnapshotWriter } from '../../src/aggregate/snapshot-writer.js';
import type { Snapshot } from '../../src/store/snapshot.js';
import { until } from '../setup/until.js';

/** Writes snapshots when a test says so. */
class SlowStore extends InMemoryEventStore {
  readonly writing: { end: (error?: unknown) => void }[] = [];

  override saveSnapshot(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.writing.push({ end: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  }
}

const stream = (aggregateType: string) => ({ aggregateType, aggregateId: 'a' });
const snapshot: Snapshot = { version: 1, eventTime: 1, snapshotVersion: 1, state: '{}' };

let warnings: string[];
beforeEach(() => {
  warnings = [];
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: string) => void warnings.push(message));
});
afterEach(() => {
  jest.restoreAllMocks();
});

const newStore = () => new SlowStore(new EventRegistry());

it('drops snapshots while a hundred are being written, and waits for those in the end', async () => {
  const store = newStore();
  const writer = new SnapshotWriter(store, false);
  for (let each = 0; each < 120; each++) await writer.write(stream('order'), snapshot);
  expect(store.writing).toHaveLength(100);
  let isDrained = false;
  const drained = writer.drain().then(() => (isDrained = true));
  for (const { end } of store.writing.slice(0, 99)) end();
  await writer.write(stream('order'), snapshot);
  expect(isDrained).toBe(false);
  await until(() => {
    store.writing.forEach(({ end }) => end());
    return isDrained;
  });
  await drained;
  await writer.write(stream('order'), snapshot);
  expect(store.writing.length).toBeGreaterThan(100);
});

it('tells of a failure once for each aggregate type, until one succeeds', async () => {
  const store = newStore();
  const writer = new SnapshotWriter(store, false);
  const write = async (aggregateType: string, error?: unknown) => {
    await writer.write(stream(aggregateType), snapshot);
    store.writing.at(-1)!.end(error);
    await writer.drain();
  };
  await write('order', new EventStoreUnavailableError('It is away.'));
  await write('order', new TypeError('secret'));
  await write('invoice', new TypeError('secret'));
  await write('order');
  await write('order', null);
  expect(warnings).toEqual([
    expect.stringMatching(/^A snapshot of order was not written.* It is away\.$/),
    expect.stringMatching(/^A snapshot of invoice was not written.* It failed with TypeError\.$/),
    expect.stringMatching(/^A snapshot of order was not written.* It failed with undefined\.$/),
  ]);
});

it('waits for each snapshot where it is told to', async () => {
  const store = newStore();
  const writer = new SnapshotWriter(store, true);
  let isWritten = false;
  const written = writer.write(stream('order'), snapshot).then(() => (isWritten = true));
  await new Promise(setImmediate);
  expect(isWritten).toBe(false);
  store.writing[0]!.end();
  await written;
});
