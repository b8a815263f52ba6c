import { randomUUID } from 'node:crypto';
import {
  ANY_VERSION,
  NO_STREAM,
  type CommitOutcome,
  type CommitResult,
  type Snapshot,
  type StreamId,
} from '../../../src/index.js';
import { AccountOpened, MoneyDeposited } from '../../setup/bank.js';
import { collect, collectEvents } from '../../setup/collect.js';
import type { Change } from './events-table.js';
import type { Ground, Operation, Trial } from './operation.js';

const FIRST = [new AccountOpened('Ada'), new MoneyDeposited(100)];

export const STORE_OPERATIONS: readonly Operation[] = [
  appending('append of one event to no stream', [], [new AccountOpened('Bob')], NO_STREAM),
  appending('append of several events to no stream', [], [new AccountOpened('Bob'), new MoneyDeposited(1)], NO_STREAM),
  appending('append of one event at a version', FIRST, [new MoneyDeposited(1)], 2),
  appending('append of several events at a version', FIRST, [new MoneyDeposited(1), new MoneyDeposited(2)], 2),
  appending('append of one event at any version', FIRST, [new MoneyDeposited(1)], ANY_VERSION),
  appending(
    'append of several events at any version',
    FIRST,
    [new MoneyDeposited(1), new MoneyDeposited(2)],
    ANY_VERSION,
  ),
  appending('conflicting append of one event', FIRST, [new AccountOpened('Bob')], NO_STREAM),
  appending(
    'conflicting append of several events',
    FIRST,
    [new AccountOpened('Bob'), new MoneyDeposited(1)],
    NO_STREAM,
  ),
  appending('conflicting append at a version', FIRST, [new MoneyDeposited(1)], 1),
  {
    name: 'commit over two streams',
    prepare: (ground, id) => committing(ground, [change(id, 1, []), change(id, 2, FIRST)]),
  },
  {
    name: 'commit over three streams',
    prepare: (ground, id) => committing(ground, [change(id, 1, FIRST), change(id, 2, []), change(id, 3, FIRST)]),
  },
  {
    name: 'read forward',
    leastRequests: 2,
    prepare: async ({ large: { stream, events } }) => ({
      answer: events.map(shown),
      run: async ({ store }) => (await collect(store.read(stream))).map(({ event }) => shown(event)),
    }),
  },
  {
    name: 'read backward',
    leastRequests: 2,
    prepare: async ({ large: { stream, events } }) => ({
      answer: events.map(shown).toReversed(),
      run: async ({ store }) =>
        (await collect(store.read(stream, { direction: 'backward' }))).map(({ event }) => shown(event)),
    }),
  },
  { name: 'read since the snapshot', prepare: readingSinceSnapshot },
  { name: 'save a snapshot', prepare: savingSnapshot },
  asking('outcome of a commit that is stored', 'stored', 'this'),
  asking('outcome of a commit that lost', 'not-stored', 'another'),
  asking('outcome of a commit that nobody sent', 'undecided', 'none'),
  { name: 'outcome of a commit at any version', prepare: askingAtAnyVersion },
];

function appending(
  name: string,
  before: readonly object[],
  added: readonly object[],
  expectedVersion: number | typeof ANY_VERSION,
): Operation {
  return {
    name,
    prepare: async (ground, id) => {
      const stream = streamOf(id);
      await ground.store.append(stream, before, { expectedVersion: NO_STREAM });
      return {
        run: async ({ store }) => appended(await store.append(stream, added, { expectedVersion })),
        answer: [{ stream, version: before.length + added.length }],
        conflicts: expectedVersion !== ANY_VERSION && expectedVersion !== before.length,
        truth: () => ground.table.truthOf([{ stream, before, added }]),
      };
    },
  };
}

function change(id: string, number: number, before: readonly object[]): Change {
  const added = before.length === 0 ? [new AccountOpened('Bob')] : [new MoneyDeposited(1), new MoneyDeposited(number)];
  return { stream: streamOf(`${id}-${number}`), before, added };
}

async function committing({ store, table }: Ground, changes: readonly Change[]): Promise<Trial> {
  for (const { stream, before } of changes) await store.append(stream, before, { expectedVersion: NO_STREAM });
  const appends = changes.map(({ stream, before, added }) => ({
    stream,
    events: added,
    expectedVersion: before.length,
  }));
  return {
    run: async (application) => appended(await application.store.commit({ appends })),
    answer: changes.map(({ stream, before, added }) => ({ stream, version: before.length + added.length })),
    truth: () => table.truthOf(changes),
  };
}

/** A snapshot further back than the tail reaches, so that the events between are read as well. */
async function readingSinceSnapshot({ store }: Ground, id: string): Promise<Trial> {
  const stream = streamOf(id);
  const events = Array.from({ length: 9 }, (_, index) => new MoneyDeposited(index));
  await store.append(stream, events, { expectedVersion: NO_STREAM });
  const snapshot = snapshotAt(3);
  await store.saveSnapshot(stream, snapshot);
  return {
    answer: { snapshot, events: events.slice(3).map((event, index) => ({ version: 4 + index, event: { ...event } })) },
    run: async (application) => {
      const since = await application.store.readSinceSnapshot(stream, 2);
      const after = await collectEvents(since.events);
      return {
        snapshot: since.snapshot,
        events: after.map(({ version, event }) => ({ version, event: { ...event } })),
      };
    },
  };
}

async function savingSnapshot({ store, table }: Ground, id: string): Promise<Trial> {
  const stream = streamOf(id);
  await store.append(stream, FIRST, { expectedVersion: NO_STREAM });
  const snapshot = snapshotAt(2);
  return {
    run: (application) => application.store.saveSnapshot(stream, snapshot),
    failsEitherWay: true,
    truth: () => table.truthOfSnapshot(stream, snapshot.version, String(snapshot.state)),
  };
}

function snapshotAt(version: number): Snapshot {
  return { version, eventTime: 1_700_000_000_000, snapshotVersion: 1, state: '{"state":{"balance":1}}' };
}

function streamOf(id: string): StreamId {
  return { aggregateType: 'matrix', aggregateId: id };
}

function appended({ appended: streams }: CommitResult): unknown {
  return streams;
}

/** Asks for the outcome of a commit to two streams, where this, another or none has been stored. */
function asking(name: string, answer: CommitOutcome, stored: 'this' | 'another' | 'none'): Operation {
  return {
    name,
    prepare: async ({ store }, id) => {
      const [written, unwritten] = [streamOf(`${id}-written`), streamOf(`${id}-unwritten`)];
      const commit = {
        commitId: randomUUID(),
        appends: [unwritten, written].map((stream) => ({ stream, events: FIRST, expectedVersion: NO_STREAM })),
      };
      if (stored === 'this') await store.commit(commit);
      if (stored === 'another') await store.append(written, FIRST, { expectedVersion: NO_STREAM });
      return { answer, run: (application) => application.store.outcomeOf(commit) };
    },
  };
}

async function askingAtAnyVersion({ store }: Ground, id: string): Promise<Trial> {
  const stream = streamOf(id);
  const commit = {
    commitId: randomUUID(),
    appends: [{ stream, events: FIRST, expectedVersion: ANY_VERSION }],
  } as const;
  await store.commit(commit);
  await store.append(stream, FIRST, { expectedVersion: ANY_VERSION });
  return { answer: 'stored', run: (application) => application.store.outcomeOf(commit) };
}

/** Enough to tell an event from every other, and short enough for a message. */
function shown(event: object): string {
  const { owner } = event as AccountOpened;
  return `${owner.slice(0, 12)}…, ${owner.length} characters`;
}
