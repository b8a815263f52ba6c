import { isDeepStrictEqual } from 'node:util';
import type { EventStore, QueryBy, QueryRange, RecordedEvent } from '../../../src/index.js';
import { LOG_TYPE, LOG_USER, type EventLog, type LoggedEvent } from './event-log.js';
import type { Operation } from './operation.js';

const OF_TYPE: QueryBy = { aggregateType: LOG_TYPE };
const OF_USER: QueryBy = { userId: LOG_USER };

const PAGE = 2;

/** Queries whose events come in several pages. */
export const QUERY_OPERATIONS: readonly Operation[] = [
  querying(
    'query by type',
    5,
    ({ all }) => all,
    (store) => store.query(OF_TYPE),
  ),
  querying(
    'query by user, backward',
    2,
    ({ all }) => all.toReversed(),
    (store) => store.query(OF_USER, { direction: 'backward' }),
  ),
  querying(
    'query by user, page by page',
    3,
    ({ small }) => small,
    (store, { smallFrom }) => pageByPage(store, OF_USER, { from: smallFrom }),
  ),
];

function querying(
  name: string,
  leastRequests: number,
  answerFrom: (log: EventLog) => readonly LoggedEvent[],
  query: (store: EventStore, log: EventLog) => AsyncIterable<RecordedEvent>,
): Operation {
  return {
    name,
    leastRequests,
    prepare: async ({ log }) => {
      const answer = answerFrom(log);
      return { answer, run: ({ store }) => given(query(store, log), answer) };
    },
  };
}

/** Each page begins behind the last event of the page before. */
async function* pageByPage(store: EventStore, by: QueryBy, range: QueryRange): AsyncGenerator<RecordedEvent, void> {
  for (let after: RecordedEvent | undefined; ;) {
    const before = after;
    for await (const event of store.query(by, { ...range, limit: PAGE, ...(before && { after: before }) })) {
      yield event;
      after = event;
    }
    if (after === before) return;
  }
}

/** What a query gives. A failure does not excuse what came before it: where the answer does not begin so, that is told. */
async function given(
  events: AsyncIterable<RecordedEvent>,
  answer: readonly LoggedEvent[],
): Promise<readonly LoggedEvent[]> {
  const found: LoggedEvent[] = [];
  try {
    for await (const { stream, version } of events) found.push({ stream, version });
  } catch (error) {
    if (isDeepStrictEqual(found, answer.slice(0, found.length))) throw error;
  }
  return found;
}
