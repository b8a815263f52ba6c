import { setTimeout as sleep } from 'node:timers/promises';
import { NO_STREAM, type EventStore, type StreamId } from '../../../src/index.js';
import { MoneyDeposited } from '../../setup/bank.js';
import { collect } from '../../setup/collect.js';

export const LOG_TYPE = 'matrix-log';

/** Who caused all events of the log. */
export const LOG_USER = 'matrix-user';

/** Where an event stands, which tells it from every other. */
export interface LoggedEvent {
  readonly stream: StreamId;
  readonly version: number;
}

/** Events of several streams that nobody adds to any more, in the order of their times. */
export interface EventLog {
  readonly all: readonly LoggedEvent[];
  /** Those behind the large stream, which are small. */
  readonly small: readonly LoggedEvent[];
  /** The time of the first of these. */
  readonly smallFrom: Date;
}

const SMALL_STREAMS = 4;

/** Different commits have different times, as the order of equal ones is any. */
const APART_MS = 5;

/** A large stream of several pages, and behind it small ones, in other slices. */
export async function layLog(store: EventStore, large: StreamId, events: readonly object[]): Promise<EventLog> {
  const append = async (stream: StreamId, added: readonly object[]) => {
    await store.append(stream, added, { expectedVersion: NO_STREAM, metadata: { userId: LOG_USER } });
    await sleep(APART_MS);
    return added.map((_, index) => ({ stream, version: index + 1 }));
  };
  const all = await append(large, events);
  const small: LoggedEvent[] = [];
  for (let number = 0; number < SMALL_STREAMS; number++) {
    const stream = { aggregateType: LOG_TYPE, aggregateId: `small-${number}` };
    small.push(...(await append(stream, [new MoneyDeposited(number)])));
  }
  const [first] = await collect(store.read(small[0]!.stream));
  return { all: [...all, ...small], small, smallFrom: first!.eventTime };
}
