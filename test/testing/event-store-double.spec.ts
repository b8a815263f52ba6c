import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  ANY_VERSION,
  CommandContext,
  type Commit,
  CommitOutcomeUnknownError,
  ConcurrencyError,
  EventRegistrationError,
  EventRegistry,
  EventStoreUnavailableError,
  MissingTenantError,
  NO_STREAM,
  type StreamId,
  TableWriteRefusedError,
} from '../../src/index.js';
import { EventStoreDouble } from '../../src/testing/index.js';
import { eventStoreContract } from '../contract/event-store-contract.js';
import { AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';
import { collect } from '../setup/collect.js';

eventStoreContract('EventStoreDouble', async (registry, tenants) => ({
  store: new EventStoreDouble(registry, tenants),
  close: async () => {},
}));

const opened = new AccountOpened('Ada');

describe('the test double of the event store', () => {
  const newStore = () => new EventStoreDouble(new EventRegistry().register(AccountOpened, MoneyDeposited));
  const newStream = (aggregateId: string = randomUUID()): StreamId => ({ aggregateType: 'account', aggregateId });
  const read = async (store: EventStoreDouble, stream: StreamId) =>
    (await collect(store.read(stream))).map(({ event }) => event);

  it('records the commits, and not the seed', async () => {
    const store = newStore();
    const [one, two] = [newStream(), newStream()];
    await store.seed(one, [opened]);
    const { commitId } = await store.commit({
      appends: [
        { stream: one, events: [new MoneyDeposited(1), new MoneyDeposited(2)], expectedVersion: 1 },
        { stream: two, events: [opened], expectedVersion: NO_STREAM },
      ],
      metadata: { userId: 'u-1' },
    });
    await store.append(one, [], { expectedVersion: 3 });
    expect(store.commits).toHaveLength(1);
    expect(store.commits[0]!.commitId).toBe(commitId);
    expect(store.commits[0]!.events).toMatchObject([
      { stream: one, version: 2, eventType: 'test.MoneyDeposited', event: { amount: 1 }, metadata: { userId: 'u-1' } },
      { stream: one, version: 3, event: { amount: 2 }, commitId },
      { stream: two, version: 1, event: { owner: 'Ada' } },
    ]);
    expect(store.commits[0]!.events[0]!.event).toBeInstanceOf(MoneyDeposited);
  });

  it('shows what was stored, and not what became of the instance', async () => {
    const store = newStore();
    const event = new MoneyDeposited(1);
    await store.append(newStream(), [event], { expectedVersion: NO_STREAM });
    Object.assign(event, { amount: 2 });
    expect(store.commits[0]!.events[0]!.event).toEqual(new MoneyDeposited(1));
  });

  it('keeps commits side by side in the order in which they were stored', async () => {
    const store = newStore();
    const stream = newStream();
    await Promise.all(
      [5, 1, 1, 3].map((count) =>
        store.append(
          stream,
          Array.from({ length: count }, () => new MoneyDeposited(count)),
          { expectedVersion: ANY_VERSION },
        ),
      ),
    );
    const versions = store.commits.flatMap(({ events }) => events.map(({ version }) => version));
    expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('tells commits apart that share a commitId', async () => {
    const store = newStore();
    const stream = newStream();
    for (const amount of [1, 2]) {
      const append = { stream, events: [new MoneyDeposited(amount)], expectedVersion: ANY_VERSION } as const;
      await store.commit({ appends: [append], commitId: 'again' });
    }
    expect(store.commits.map(({ events }) => events.length)).toEqual([1, 1]);
  });

  it('is seeded with any number of events, behind those that are there', async () => {
    const store = newStore();
    const stream = newStream();
    await store.seed(stream, [opened]);
    await store.seed(
      stream,
      Array.from({ length: 250 }, (_, index) => new MoneyDeposited(index)),
    );
    expect(await read(store, stream)).toHaveLength(251);
    expect(store.commits).toEqual([]);
    await expect(store.seed(stream, [new MoneyWithdrawn(1)])).rejects.toThrow(EventRegistrationError);
  });

  it('has the tenant of the running command, and can require one', async () => {
    const store = new EventStoreDouble(new EventRegistry().register(AccountOpened), { requireTenant: true });
    const stream = newStream();
    await CommandContext.run({ tenantId: 't-1' }, () => store.append(stream, [opened], { expectedVersion: NO_STREAM }));
    expect(store.commits[0]!.events[0]!.stream.tenantId).toBe('t-1');
    expect(() => store.read(stream)).toThrow(MissingTenantError);
  });

  it('raises a conflict, and stores nothing', async () => {
    const store = newStore();
    const stream = newStream();
    await store.seed(stream, [opened]);
    store.raiseConflict();
    const append = () => store.append(stream, [new MoneyDeposited(1)], { expectedVersion: 1 });
    await expect(append()).rejects.toThrow(
      expect.objectContaining({ name: 'ConcurrencyError', stream, expectedVersion: 1, actualVersion: 2 }) as never,
    );
    expect(store.commits).toEqual([]);
    await append();
    expect(await read(store, stream)).toEqual([opened, new MoneyDeposited(1)]);
  });

  it('raises its faults one commit at a time, in their order', async () => {
    const store = newStore();
    const append = () => store.append(newStream(), [opened], { expectedVersion: NO_STREAM });
    store.raiseUnavailable({ times: 2 });
    store.raiseConflict();
    await expect(append()).rejects.toThrow(EventStoreUnavailableError);
    await expect(append()).rejects.toThrow(EventStoreUnavailableError);
    await expect(append()).rejects.toThrow(ConcurrencyError);
    await append();
    expect(store.commits).toHaveLength(1);
    expect(() => store.raiseConflict({ times: 0 })).toThrow(RangeError);
  });

  it('refuses a commit that an inline projection joins with a value that is no data', async () => {
    const store = newStore();
    const stream = newStream();
    const written = { at: new Date(0) as unknown };
    store.joinCommits = async () => [{ projection: 'p', write: { Put: { TableName: 't', Item: { ...written } } } }];
    const append = () => store.append(stream, [opened], { expectedVersion: NO_STREAM });
    await expect(append()).rejects.toThrow(TableWriteRefusedError);
    expect([await read(store, stream), store.commits, store.inlineWrites]).toEqual([[], [], []]);
    written.at = 0;
    await append();
    expect(store.inlineWrites).toHaveLength(1);
  });

  it('refuses a commit that its inline projections make too large', async () => {
    const store = newStore();
    const stream = newStream();
    store.joinCommits = async (events) =>
      events.map(({ eventId }) => ({ projection: 'p', write: { Delete: { TableName: 't', Key: { id: eventId } } } }));
    const commit = (count: number, others: Pick<Commit, 'unique' | 'idempotency'>) => {
      const events = Array.from({ length: count }, () => new MoneyDeposited(1));
      return store.commit({ appends: [{ stream, events, expectedVersion: ANY_VERSION }], ...others });
    };
    const unique = [{ action: 'reserve', constraint: 'email', value: 'ada@example.org', stream }] as const;
    const idempotency = { key: 'k', command: 'Deposit', fingerprint: 'f', expiresAt: Date.now() + 60_000 };
    await expect(commit(51, {})).rejects.toMatchObject({ name: 'CommitTooLargeError', size: 102, unit: 'writes' });
    await expect(commit(50, { unique })).rejects.toMatchObject({ size: 101, unit: 'writes' });
    await expect(commit(50, { idempotency })).rejects.toMatchObject({ size: 101, unit: 'writes' });
    expect([store.commits, store.inlineWrites, store.eventCount]).toEqual([[], [], 0]);
    await commit(49, { unique, idempotency });
    await commit(50, {});
    expect(store.inlineWrites).toHaveLength(99);
  });

  it('keeps its faults for a commit that would reach the database, and lets the seed through', async () => {
    const store = newStore();
    const stream = newStream();
    store.raiseUnavailable();
    await expect(store.append(stream, [new MoneyWithdrawn(1)], { expectedVersion: 0 })).rejects.toThrow(
      EventRegistrationError,
    );
    await store.append(stream, [], { expectedVersion: 0 });
    await store.seed(stream, [opened]);
    await expect(store.append(stream, [new MoneyDeposited(1)], { expectedVersion: 1 })).rejects.toThrow(
      EventStoreUnavailableError,
    );
  });

  it.each<[boolean, 0 | typeof ANY_VERSION]>([
    [true, NO_STREAM],
    [true, ANY_VERSION],
    [false, NO_STREAM],
    [false, ANY_VERSION],
  ])(
    'leaves the outcome unknown with stored: %s behind version %s, and tells the truth when asked',
    async (stored, expectedVersion) => {
      const store = newStore();
      const stream = newStream();
      store.raiseOutcomeUnknown({ stored });
      const error = await store.append(stream, [opened], { expectedVersion }).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
      const unknown = error as CommitOutcomeUnknownError;
      expect(await store.outcomeOf(unknown)).toBe(stored ? 'stored' : 'not-stored');
      expect(await read(store, stream)).toEqual(stored ? [opened] : []);
      expect(store.commits.map(({ commitId }) => commitId)).toEqual(stored ? [unknown.commitId] : []);
      // Another commit that takes the place changes nothing about it.
      await store.append(stream, [new MoneyDeposited(1)], { expectedVersion: ANY_VERSION });
      expect(await store.outcomeOf(unknown)).toBe(stored ? 'stored' : 'not-stored');
    },
  );

  it('takes no other commit of that commitId for the one whose outcome is unknown', async () => {
    const store = newStore();
    const commit = { commitId: 'import-1', appends: [{ stream: newStream(), events: [opened], expectedVersion: 0 }] };
    store.raiseOutcomeUnknown({ stored: false });
    const error = await store.commit(commit).catch((caught: unknown) => caught);
    await store.commit(commit);
    expect(await store.outcomeOf(error as CommitOutcomeUnknownError)).toBe('not-stored');
  });
});
