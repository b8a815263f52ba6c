import { randomBytes } from 'node:crypto';
import { CommitTooLargeError, type EventStore, type StreamId } from '../../../src/index.js';
import { POSITIONS } from './events.js';
import { PayloadError } from './payload-stream.js';

/** DynamoDB's limits of an item and of a transaction. */
const ITEM_BYTES = 400 * 1024;
const COMMIT_BYTES = 4 * 1024 * 1024;

/** Bytes of metadata that no event can have; they are stored as they are, and so bring a commit to an exact size. */
const TOO_MUCH = 10_000;

/** An event, and a commit, of nearly the greatest size are stored; of a few bytes more, refused without a request. */
export async function probeSizeLimits(store: EventStore, stream: StreamId, requests: () => number): Promise<void> {
  await probe(store, { ...stream, aggregateId: `${stream.aggregateId}-item` }, requests, 1, ITEM_BYTES);
  await probe(store, { ...stream, aggregateId: `${stream.aggregateId}-commit` }, requests, 11, COMMIT_BYTES);
}

async function probe(
  store: EventStore,
  stream: StreamId,
  requests: () => number,
  count: number,
  limit: number,
): Promise<void> {
  const bytes = Math.floor(limit / count) - 6_000;
  const values = Array.from({ length: count }, () => new Uint8Array(randomBytes(bytes)));
  const attempt = async (padding: number): Promise<CommitTooLargeError | undefined> => {
    const before = requests();
    try {
      const events = values.map((value) => POSITIONS['in a field'](value));
      await store.append(stream, events, { expectedVersion: 0, metadata: { padding: 'x'.repeat(padding) } });
      return undefined;
    } catch (error) {
      if (!(error instanceof CommitTooLargeError)) throw error;
      if (requests() !== before) throw new PayloadError(`Too large, and yet there was a request.`);
      return error;
    }
  };
  // Padding is in every event, so it brings the size of the whole up in steps of their number.
  const sizeOf = async (padding: number) => (await attempt(padding))?.size ?? 0;
  const size = await sizeOf(TOO_MUCH);
  if (size <= limit) throw new PayloadError(`${count} events of too many bytes were stored.`);
  // Each attempt has other checksums, and one of few digits is a byte shorter: that leaves a step of doubt on both sides.
  const greatest = TOO_MUCH - Math.ceil((size - limit) / count) - 1;
  if ((await sizeOf(greatest + 3)) === 0) throw new PayloadError(`More than ${limit} bytes were stored.`);
  const refusal = await attempt(greatest);
  if (refusal) throw new PayloadError(`${refusal.size} bytes were refused, where ${limit} are the limit.`);
  let stored = 0;
  for await (const { event } of store.read(stream)) {
    const { value } = event as { value: Uint8Array };
    if (!Buffer.from(value).equals(values[stored]!)) throw new PayloadError(`Large bytes came back as others.`);
    stored++;
  }
  if (stored !== count) throw new PayloadError(`${stored} large events are there, and not ${count}.`);
}
