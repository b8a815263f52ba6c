import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  EventStore,
  EventType,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  On,
  type Class,
  type RecordedEvent,
  type Snapshot,
} from '../../src/index.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';
import { until } from '../setup/until.js';

@EventType('snapshots.Counted')
class Counted {
  constructor(readonly by: number) {}
}

@EventType('snapshots.Closed')
class Closed {}

abstract class Counter extends AggregateRoot {
  /** How many events this process has applied to counters. */
  static applied = 0;

  total = 0;
  steps = new Map<number, Date>();
  closed = false;

  count(by: number): void {
    this.apply(new Counted(by));
  }

  close(): void {
    this.apply(new Closed());
  }

  @On(Counted) protected onCounted({ by }: Counted): void {
    Counter.applied++;
    this.total += by;
    this.steps.set(this.total, new Date(by));
  }

  @On(Closed) protected onClosed(): void {
    this.closed = true;
  }
}

@Aggregate('counter-every-5', { snapshotEvery: 5 })
class CounterEvery5 extends Counter {}

@Aggregate('counter-inline', { snapshot: 'inline' })
class CounterInline extends Counter {}

@Aggregate('counter-on-closed', { snapshot: (_: Counter, { event }: RecordedEvent) => event instanceof Closed })
class CounterOnClosed extends Counter {}

@Aggregate('counter-own-state', { snapshotEvery: 1 })
class CounterOwnState extends Counter {
  #doubled = 0;

  get doubled(): number {
    return this.#doubled;
  }

  @On(Counted) protected override onCounted(event: Counted): void {
    super.onCounted(event);
    this.#doubled = this.total * 2;
  }

  toSnapshot(): object {
    return { total: this.total, doubled: this.#doubled };
  }

  fromSnapshot(state: { total: number; doubled: number }): void {
    this.total = state.total;
    this.#doubled = state.doubled;
  }
}

@Aggregate('counter-unstorable', { snapshotEvery: 1 })
class CounterUnstorable extends Counter {
  callback = (): void => {};
}

@Aggregate('counter-bad-policy', {
  snapshot: () => {
    throw new Error('policy');
  },
})
class CounterBadPolicy extends Counter {}

class Count {
  constructor(
    readonly counter: Class<Counter>,
    readonly id: string,
    readonly amounts: readonly number[],
    readonly close = false,
  ) {}
}

const COUNTERS = [CounterEvery5, CounterInline, CounterOnClosed, CounterOwnState, CounterUnstorable, CounterBadPolicy];

describe.each<Storage>(['memory', 'dynamodb'])('snapshots (%s)', (storage) => {
  let application: Application;
  let warnings: unknown[];

  const repositoryOf = (counter: Class<Counter>) =>
    application.module.get<AggregateRepository<Counter>>(getAggregateRepositoryToken(counter), { strict: false });

  @CommandHandler(Count)
  class CountHandler implements ICommandHandler<Count> {
    async execute({ counter, id, amounts, close }: Count): Promise<void> {
      const repository = repositoryOf(counter);
      let aggregate = await repository.find(id);
      if (!aggregate) repository.add((aggregate = new counter(id)));
      for (const amount of amounts) aggregate.count(amount);
      if (close) aggregate.close();
    }
  }

  beforeEach(async () => {
    warnings = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => void warnings.push(message));
    application = await startApplication(storage, {
      features: COUNTERS,
      providers: [CountHandler],
      options: { snapshots: { wait: true } },
    });
  });

  afterEach(async () => {
    await application.close();
    jest.restoreAllMocks();
  });

  const store = () => application.module.get(EventStore);
  const count = (counter: Class<Counter>, id: string, amounts: readonly number[], close = false) =>
    application.commands.execute(new Count(counter, id, amounts, close));
  const snapshotOf = async (aggregateType: string, aggregateId: string, tail = 10) =>
    (await store().readSinceSnapshot({ aggregateType, aggregateId }, tail)).snapshot;

  /** Loads outside a command, and tells how many events were applied for it. */
  async function load<T extends Counter>(counter: Class<T>, id: string): Promise<{ aggregate: T; applied: number }> {
    const before = Counter.applied;
    const aggregate = (await repositoryOf(counter).load(id)) as T;
    return { aggregate, applied: Counter.applied - before };
  }

  it('are written when so many versions have passed, and loaded from', async () => {
    await count(CounterEvery5, 'a', [1, 2, 3, 4]);
    expect(await snapshotOf('counter-every-5', 'a')).toBeUndefined();
    await count(CounterEvery5, 'a', [5, 6, 7]);
    expect((await snapshotOf('counter-every-5', 'a'))!.version).toBe(7);
    await count(CounterEvery5, 'a', [8, 9, 10, 11]);
    expect((await snapshotOf('counter-every-5', 'a'))!.version).toBe(7);
    await count(CounterEvery5, 'a', [12]);
    expect((await snapshotOf('counter-every-5', 'a'))!.version).toBe(12);
    await count(CounterEvery5, 'a', [13]);

    const { aggregate, applied } = await load(CounterEvery5, 'a');
    expect(applied).toBe(1);
    expect(aggregate).toMatchObject({ id: 'a', version: 13, total: 91, closed: false });
    expect([...aggregate.steps].at(-1)).toEqual([91, new Date(13)]);
    expect(aggregate.steps.size).toBe(13);
  });

  it('travel inside the commit with the inline policy', async () => {
    await count(CounterInline, 'a', [1, 2]);
    await count(CounterInline, 'a', [3]);
    expect((await snapshotOf('counter-inline', 'a', 0))!.version).toBe(3);
    const { aggregate, applied } = await load(CounterInline, 'a');
    expect(applied).toBe(0);
    expect(aggregate).toMatchObject({ version: 3, total: 6 });
    // An import that knows no aggregate leaves no state.
    await store().append({ aggregateType: 'counter-inline', aggregateId: 'a' }, [new Counted(4)], {
      expectedVersion: 3,
    });
    expect((await load(CounterInline, 'a')).aggregate).toMatchObject({ version: 4, total: 10 });
  });

  it('are written when the policy says so', async () => {
    await count(CounterOnClosed, 'a', [1, 2]);
    expect(await snapshotOf('counter-on-closed', 'a')).toBeUndefined();
    await count(CounterOnClosed, 'a', [3], true);
    expect((await snapshotOf('counter-on-closed', 'a'))!.version).toBe(4);
    const { aggregate, applied } = await load(CounterOnClosed, 'a');
    expect(applied).toBe(0);
    expect(aggregate).toMatchObject({ total: 6, closed: true });
  });

  it('hold what toSnapshot gives, and give it to fromSnapshot', async () => {
    await count(CounterOwnState, 'a', [2]);
    const { aggregate, applied } = await load(CounterOwnState, 'a');
    expect([applied, aggregate.total, aggregate.doubled]).toEqual([0, 2, 4]);
  });

  it.each<[string, (good: Snapshot) => Snapshot]>([
    ['of damaged text', (good) => ({ ...good, state: '{"total":' })],
    ['of damaged bytes', (good) => ({ ...good, state: new Uint8Array([1, 2, 3]) })],
    ['of another snapshotVersion', (good) => ({ ...good, snapshotVersion: 2 })],
    ['of something else', (good) => ({ ...good, state: '[]' })],
  ])('are ignored when they are %s', async (_, spoil) => {
    const aggregateId = `spoilt-${_}`;
    await count(CounterEvery5, aggregateId, [1, 2, 3, 4, 5]);
    const stream = { aggregateType: 'counter-every-5', aggregateId };
    const good = (await snapshotOf(stream.aggregateType, aggregateId))!;
    await store().append(stream, [new Counted(6)], { expectedVersion: 5 });
    await store().saveSnapshot(stream, { ...spoil(good), version: 6 });
    expect((await snapshotOf(stream.aggregateType, aggregateId))!.version).toBe(6);
    const { aggregate, applied } = await load(CounterEvery5, aggregateId);
    expect(applied).toBe(6);
    expect(aggregate).toMatchObject({ version: 6, total: 21 });
    // The next commit replaces it.
    await count(CounterEvery5, aggregateId, [7]);
    expect(await load(CounterEvery5, aggregateId)).toMatchObject({ applied: 0 });
  });

  it('that cannot be taken are reported once, and harm nothing', async () => {
    await count(CounterUnstorable, 'a', [1]);
    await count(CounterUnstorable, 'a', [2]);
    await count(CounterBadPolicy, 'b', [1]);
    await count(CounterBadPolicy, 'b', [2]);
    expect((await load(CounterUnstorable, 'a')).aggregate.total).toBe(3);
    expect((await load(CounterBadPolicy, 'b')).aggregate.total).toBe(3);
    expect(warnings).toEqual([
      expect.stringContaining('counter-unstorable: the value at $.state.callback'),
      expect.stringContaining('counter-bad-policy'),
    ]);
  });

  it('that cannot be written are reported once, and harm nothing', async () => {
    const save = jest.spyOn(store(), 'saveSnapshot').mockRejectedValue(new Error('no rights'));
    for (let version = 1; version <= 3; version++) await count(CounterOwnState, 'a', [version]);
    expect(warnings).toHaveLength(1);
    save.mockRestore();
    await count(CounterOwnState, 'a', [4]);
    expect((await snapshotOf('counter-own-state', 'a'))!.version).toBe(4);
  });
});

describe.each<Storage>(['memory', 'dynamodb'])('snapshots in the background (%s)', (storage) => {
  it('do not delay the command, and are finished before the application has closed', async () => {
    class CountOnce {}
    @CommandHandler(CountOnce)
    class CountOnceHandler implements ICommandHandler<CountOnce> {
      constructor(
        @InjectAggregateRepository(CounterOwnState) private readonly counters: AggregateRepository<CounterOwnState>,
      ) {}
      async execute(): Promise<void> {
        const counter = new CounterOwnState('a');
        counter.count(1);
        this.counters.add(counter);
      }
    }
    const application = await startApplication(storage, { features: [CounterOwnState], providers: [CountOnceHandler] });
    const store = application.module.get(EventStore);
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    let saved = false;
    jest.spyOn(store, 'saveSnapshot').mockImplementation(async () => {
      await held;
      saved = true;
    });
    await application.commands.execute(new CountOnce());
    expect(saved).toBe(false);
    let closed = false;
    const closing = application.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closed).toBe(false);
    release();
    await closing;
    expect(saved).toBe(true);
    await until(() => closed);
  });
});
