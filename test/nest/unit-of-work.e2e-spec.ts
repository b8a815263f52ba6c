import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Scope } from '@nestjs/common';
import {
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventBus,
  EventsHandler,
  ofType,
  Saga,
  type ICommand,
  type ICommandHandler,
  type IEventHandler,
} from '@nestjs/cqrs';
import { map, type Observable } from 'rxjs';
import {
  AggregateRepository,
  CommandContext,
  CommitOutcomeUnknownError,
  ConcurrencyError,
  ConflictRetries,
  EventStore,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  NestedCommandFailedError,
  OwnUnitOfWork,
  recordedEventOf,
  UnitOfWorkClosedError,
  type Class,
} from '../../src/index.js';
import { startApplication, type Application, type ApplicationParts, type Storage } from '../setup/application.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';
import { collect } from '../setup/collect.js';
import { until } from '../setup/until.js';

/** A command whose handler is given with it, so that each test shows what runs. */
class Run {
  constructor(
    readonly work: (accounts: AggregateRepository<Account>, command: Run) => Promise<unknown>,
    readonly data: { count: number; list: number[]; part?: Part } = { count: 0, list: [] },
  ) {}
}

/** What a command may hold as well, such as what class-transformer makes of a request. */
class Part {
  constructor(readonly amounts: number[]) {}

  get sum(): number {
    return this.amounts.reduce((sum, amount) => sum + amount, 0);
  }
}

class RunHiding extends Run {
  readonly #secret = 5;

  get secret(): number {
    return this.#secret;
  }
}

class RunOwn extends Run {}
class RunOnce extends Run {}
class RunScoped extends Run {}
class RunWithManyRetries extends Run {}
class Unhandled {}

abstract class RunHandler implements ICommandHandler<Run> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  execute(command: Run): Promise<unknown> {
    return command.work(this.accounts, command);
  }
}

@CommandHandler(Run)
class RunSharedHandler extends RunHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }
}

@OwnUnitOfWork()
@CommandHandler(RunOwn)
class RunOwnHandler extends RunHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }
}

@ConflictRetries(0)
@CommandHandler(RunOnce)
class RunOnceHandler extends RunHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }
}

@Injectable({ scope: Scope.REQUEST })
@CommandHandler(RunScoped)
class RunScopedHandler extends RunHandler {
  static readonly instances = new Set<object>();

  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }

  override execute(command: Run): Promise<unknown> {
    RunScopedHandler.instances.add(this);
    return super.execute(command);
  }
}

@ConflictRetries(100)
@CommandHandler(RunWithManyRetries)
class RunWithManyRetriesHandler extends RunHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }
}

@CommandHandler(RunHiding)
class RunHidingHandler extends RunHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }
}

const HANDLERS = [
  RunHidingHandler,
  RunWithManyRetriesHandler,
  RunSharedHandler,
  RunOwnHandler,
  RunOnceHandler,
  RunScopedHandler,
];

describe.each<Storage>(['memory', 'dynamodb'])('the unit of work of a command (%s)', (storage) => {
  let application: Application;

  async function start(parts: Partial<ApplicationParts> = {}): Promise<void> {
    application = await startApplication(storage, {
      features: [Account],
      ...parts,
      providers: [...HANDLERS, ...(parts.providers ?? [])],
    });
  }

  afterEach(() => application.close());

  const repository = () =>
    application.module.get<AggregateRepository<Account>>(getAggregateRepositoryToken(Account), { strict: false });
  const store = () => application.module.get(EventStore);
  const run = (work: Run['work'], command: Class<Run> = Run) => application.commands.execute(new command(work));
  const stream = (aggregateId: string) => ({ aggregateType: 'test-account', aggregateId });
  const open = (...ids: string[]) =>
    run(async (accounts) => ids.forEach((id) => accounts.add(Account.open(id, `owner of ${id}`))));
  const stored = async (id: string) => (await collect(store().read(stream(id)))).map(({ event }) => event);
  const balance = async (id: string) => (await repository().load(id)).balance;

  /** Someone else commits to the stream, behind the back of the running command. */
  const interfere = (id: string, amount: number) =>
    store().append(stream(id), [new MoneyDeposited(amount)], { expectedVersion: 'any' });

  it('stores all events of all aggregates in one commit, and gives back what the handler returned', async () => {
    await start();
    await open('a', 'b');
    const result = await run(async (accounts) => {
      const [from, to] = await Promise.all([accounts.load('a'), accounts.load('b')]);
      from.deposit(10);
      from.withdraw(3);
      to.deposit(3);
      return { moved: 3 };
    });
    expect(result).toEqual({ moved: 3 });
    const events = [...(await collect(store().read(stream('a')))), ...(await collect(store().read(stream('b'))))];
    const moved = events.filter(({ version }) => version > 1);
    expect(moved.map(({ event }) => event)).toEqual([
      new MoneyDeposited(10),
      new MoneyWithdrawn(3),
      new MoneyDeposited(3),
    ]);
    expect(new Set(moved.map(({ commitId }) => commitId)).size).toBe(1);
  });

  it('stores nothing when the handler throws, and passes its error on', async () => {
    await start();
    await open('a');
    const attempt = run(async (accounts) => {
      (await accounts.load('a')).deposit(5);
      accounts.add(Account.open('new', 'x'));
      throw new RangeError('no');
    });
    await expect(attempt).rejects.toThrow(new RangeError('no'));
    expect(await stored('a')).toHaveLength(1);
    expect(await repository().exists('new')).toBe(false);
  });

  it('gives a command the same instance of an aggregate each time, also side by side', async () => {
    await start();
    await open('a');
    await run(async (accounts) => {
      const [first, second] = await Promise.all([accounts.load('a'), accounts.load('a')]);
      expect(first).toBe(second);
      expect(await accounts.find('a')).toBe(first);
      const added = Account.open('b', 'x');
      expect(await accounts.exists('b')).toBe(false);
      accounts.add(added);
      expect(await accounts.exists('b')).toBe(true);
      expect(await accounts.load('b')).toBe(added);
      expect(await accounts.find('none')).toBeNull();
    });
    expect(await repository().load('a')).not.toBe(await repository().load('a'));
  });

  it('lets a command load an aggregate again where that failed before', async () => {
    await start();
    await open('a');
    await run(async (accounts) => {
      const read = jest.spyOn(store(), 'readVersions').mockImplementationOnce(() => {
        throw new Error('down');
      });
      await expect(accounts.load('a')).rejects.toThrow('down');
      read.mockRestore();
      (await accounts.load('a')).deposit(5);
    });
    expect(await balance('a')).toBe(5);
  });

  it('refuses an aggregate that comes when the command has ended', async () => {
    await start();
    await open('a');
    let left: Promise<Account> | undefined;
    const readVersions = store().readVersions.bind(store());
    const read = jest.spyOn(store(), 'readVersions');
    let goOn = () => {};
    const ended = new Promise<void>((resolve) => (goOn = resolve));
    read.mockImplementationOnce(async function* (...args) {
      await ended;
      yield* readVersions(...args);
    });
    await run(async (accounts) => {
      left = accounts.load('a');
      left.catch(() => {});
    });
    goOn();
    await expect(left).rejects.toThrow(UnitOfWorkClosedError);
    read.mockRestore();
  });

  it('reads one event to say whether an aggregate exists', async () => {
    await start();
    await open('a');
    const read = jest.spyOn(store(), 'readVersions');
    expect(await repository().exists('a')).toBe(true);
    expect(await repository().exists('b')).toBe(false);
    expect(read.mock.calls.map(([, range]) => range?.limit)).toEqual([1, 1]);
    read.mockRestore();
  });

  it('stores what a command saves when it finishes, with everything else', async () => {
    await start();
    await open('a');
    const attempt = run(async (accounts) => {
      const account = await accounts.load('a');
      account.deposit(5);
      await accounts.save(account);
      await accounts.save(Account.open('b', 'Ada'));
      throw new Error('after saving');
    });
    await expect(attempt).rejects.toThrow('after saving');
    expect([await balance('a'), await stored('b')]).toEqual([0, []]);
  });

  it('never mixes 1,000 interleaved commands over 100 aggregates, some failing, some nested', async () => {
    await start();
    const ids = Array.from({ length: 100 }, (_, index) => `account-${index}`);
    await open(...ids);
    const deposit = (id: string, amount: number) => async (accounts: AggregateRepository<Account>) => {
      const account = await accounts.load(id);
      await new Promise(setImmediate);
      account.deposit(amount);
    };
    const expected = new Map<string, number[]>(ids.map((id) => [id, []]));
    let failed = 0;
    const command = async (index: number): Promise<void> => {
      const [id, other] = [ids[index % 100]!, ids[(index * 7 + 3) % 100]!];
      try {
        await run(async (accounts) => {
          await deposit(id, index + 1)(accounts);
          if (index % 5 === 0) await run(deposit(other, -index - 1));
          if (index % 3 === 0) throw new RangeError('fails on purpose');
        }, RunWithManyRetries);
      } catch (error) {
        expect(error).toEqual(new RangeError('fails on purpose'));
        failed++;
        return;
      }
      expected.get(id)!.push(index + 1);
      if (index % 5 === 0) expected.get(other)!.push(-index - 1);
    };
    // 100 at any time, each of the 1,000 amounts its own.
    let next = 0;
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        while (next < 1000) await command(next++);
      }),
    );
    expect(failed).toBe(334);
    const byAmount = (a: number, b: number) => a - b;
    for (const [id, amounts] of expected) {
      const deposits = (await stored(id)).slice(1).map((event) => (event as MoneyDeposited).amount);
      expect([id, deposits.toSorted(byAmount)]).toEqual([id, amounts.toSorted(byAmount)]);
    }
  }, 60_000);

  it('stores nothing when an applier threw and the handler went on', async () => {
    await start();
    await open('a', 'b');
    const attempt = run(async (accounts) => {
      const [a, b] = [await accounts.load('a'), await accounts.load('b')];
      a.deposit(1);
      b.deposit(1);
      expect(() => a.apply(new MoneyWithdrawn(Number.NaN))).toThrow('no amount');
    });
    await expect(attempt).rejects.toMatchObject({ code: 'AGGREGATE_UNUSABLE' });
    expect([await balance('a'), await balance('b')]).toEqual([0, 0]);
  });

  it('stores nothing of a failed command, whatever it has left running', async () => {
    await start();
    await open('a', 'b');
    const left: Promise<unknown>[] = [];
    const leave = (work: Promise<unknown>) => left.push(work.catch((error: unknown) => error));
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const attempt = run(async (accounts) => {
      leave(
        run(async (inner) => {
          await new Promise(setImmediate);
          await run(async (innermost) => (await innermost.load('b')).deposit(8));
          (await inner.load('a')).deposit(9);
        }),
      );
      leave(held.then(() => accounts.load('a')));
      leave(held.then(() => accounts.save(Account.open('c', 'x'))));
      throw new Error('no');
    });
    await expect(attempt).rejects.toThrow('no');
    release();
    const [, loaded, saved] = await Promise.all(left);
    expect([loaded, saved]).toEqual([
      expect.objectContaining({ code: 'UNIT_OF_WORK_CLOSED' }),
      expect.objectContaining({ code: 'UNIT_OF_WORK_CLOSED' }),
    ]);
    expect([(await stored('a')).length, (await stored('b')).length, await repository().exists('c')]).toEqual([
      1,
      1,
      false,
    ]);
  });

  it('copies commands that contain themselves', async () => {
    await start();
    const list: unknown[] = [];
    list.push(list);
    await application.commands.execute(new Run(async () => {}, { count: 0, list: list as number[] }));
  });

  it('keeps an aggregate from being stored as another', async () => {
    await start();
    await CommandContext.run({ tenantId: 't1' }, () => open('a'));
    const foreign = await CommandContext.run({ tenantId: 't1' }, () => repository().load('a'));
    foreign.deposit(5);
    await expect(repository().save(foreign)).rejects.toMatchObject({ code: 'INVALID_COMMIT' });
    const invented = new Account('b');
    invented.loadFromHistory([new AccountOpened('x')]);
    invented.deposit(5);
    await expect(repository().save(invented)).rejects.toMatchObject({ code: 'CONCURRENCY', actualVersion: 0 });
    expect([await stored('a'), await stored('b')]).toEqual([[], []]);
  });

  it('is finished before the application has closed', async () => {
    await start();
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const command = run(async (accounts) => {
      await held;
      accounts.add(Account.open('late', 'x'));
    });
    const storeBefore = store();
    let closed = false;
    const closing = application.module.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closed).toBe(false);
    release();
    await Promise.all([command, closing]);
    if (storage === 'memory') expect(await collect(storeBefore.read(stream('late')))).toHaveLength(1);
  });

  describe('nested commands', () => {
    it('join the unit of the outer one', async () => {
      await start();
      await open('a');
      await run(async (accounts) => {
        const account = await accounts.load('a');
        account.deposit(1);
        await run(async (inner) => {
          expect(await inner.load('a')).toBe(account);
          (await inner.load('a')).deposit(2);
        });
        expect(await stored('a')).toHaveLength(1);
      });
      const [, first, second] = await collect(store().read(stream('a')));
      expect(first!.commitId).toBe(second!.commitId);
    });

    it('belong to the commit even when the handler does not wait for them', async () => {
      await start();
      await open('a');
      await run(async () => {
        void run(async (accounts) => {
          await new Promise(setImmediate);
          (await accounts.load('a')).deposit(2);
        });
      });
      expect(await balance('a')).toBe(2);
    });

    it('keep the whole from being stored when they fail after applying events', async () => {
      await start();
      await open('a', 'b');
      const attempt = run(async (accounts) => {
        (await accounts.load('a')).deposit(1);
        await run(async (inner) => {
          (await inner.load('b')).deposit(1);
          throw new Error('inner');
        }).catch(() => {});
      });
      await expect(attempt).rejects.toThrow(NestedCommandFailedError);
      expect(await balance('a')).toBe(0);
    });

    it('may fail without harm before they apply any event', async () => {
      await start();
      await open('a');
      await run(async (accounts) => {
        (await accounts.load('a')).deposit(1);
        await run(async (inner) => inner.load('none')).catch(() => {});
      });
      expect(await balance('a')).toBe(1);
    });

    it('commit apart with @OwnUnitOfWork, whatever becomes of the outer one', async () => {
      await start();
      await open('a', 'b');
      const attempt = run(async (accounts) => {
        (await accounts.load('a')).deposit(1);
        await run(async (own) => (await own.load('b')).deposit(5), RunOwn);
        expect(await stored('b')).toHaveLength(2);
        throw new Error('outer');
      });
      await expect(attempt).rejects.toThrow('outer');
      expect([await balance('a'), await balance('b')]).toEqual([0, 5]);
    });
  });

  describe('a lost race', () => {
    it.each<[string, typeof Run]>([
      ['a static handler', Run],
      ['a request-scoped handler', RunScoped],
    ])('runs the command again on fresh aggregates, with a fresh copy of the command (%s)', async (_, command) => {
      await start();
      await open('a');
      RunScopedHandler.instances.clear();
      const seen: unknown[] = [];
      await application.commands.execute(
        new command(
          async (accounts, { data }) => {
            const account = await accounts.load('a');
            seen.push([account.version, data.count, [...data.list], data.part!.sum]);
            data.part!.amounts.pop();
            data.count++;
            data.list.push(1);
            if (seen.length <= 2) await interfere('a', 100);
            account.deposit(1);
          },
          { count: 0, list: [], part: new Part([1, 2]) },
        ),
      );
      expect(seen).toEqual([
        [1, 0, [], 3],
        [2, 0, [], 3],
        [3, 0, [], 3],
      ]);
      expect(await balance('a')).toBe(201);
      if (command === RunScoped) expect(RunScopedHandler.instances.size).toBe(3);
    });

    it('does not run a command again that has private fields, which no copy would have', async () => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
      await start();
      expect(warn.mock.calls.flat().join()).toContain('RunHiding has private fields, so it cannot be copied');
      warn.mockRestore();
      await open('a');
      const secrets: number[] = [];
      const attempt = application.commands.execute(
        new RunHiding(async (accounts, command) => {
          const account = await accounts.load('a');
          secrets.push((command as RunHiding).secret);
          await interfere('a', 100);
          account.deposit(1);
        }),
      );
      await expect(attempt).rejects.toThrow(ConcurrencyError);
      expect(secrets).toEqual([5]);
    });

    it.each<[string, Class<Run>, number]>([
      ['conflictRetries of the module', Run, 3],
      ['@ConflictRetries of the handler', RunOnce, 1],
    ])('ends as ConcurrencyError after %s', async (_, command, runs) => {
      await start({ options: { conflictRetries: 2 } });
      await open('a');
      let count = 0;
      const attempt = run(async (accounts) => {
        const account = await accounts.load('a');
        await interfere('a', 1);
        count++;
        account.deposit(1);
      }, command);
      await expect(attempt).rejects.toThrow(ConcurrencyError);
      await expect(attempt).rejects.toMatchObject({
        stream: stream('a'),
        expectedVersion: runs,
        actualVersion: runs + 1,
      });
      expect(count).toBe(runs);
    });

    it('is not assumed: a command is not run again when its outcome is unknown', async () => {
      await start();
      await open('a');
      const commit = store().commit.bind(store());
      const spy = jest.spyOn(store(), 'commit').mockImplementation(async (...args) => {
        const { commitId } = await commit(...args);
        throw new CommitOutcomeUnknownError(commitId, [{ stream: stream('a'), expectedVersion: 1 }], 'ECONNRESET');
      });
      let count = 0;
      const attempt = run(async (accounts) => {
        count++;
        (await accounts.load('a')).deposit(5);
      });
      await expect(attempt).rejects.toThrow(CommitOutcomeUnknownError);
      spy.mockRestore();
      expect(count).toBe(1);
      expect(await balance('a')).toBe(5);
    });

    it('is not what a ConcurrencyError of the handler itself means', async () => {
      await start();
      let count = 0;
      const attempt = run(async () => {
        count++;
        await store().append(stream('a'), [new MoneyDeposited(1)], { expectedVersion: 7 });
      });
      await expect(attempt).rejects.toThrow(ConcurrencyError);
      expect(count).toBe(1);
    });

    it('is won in the end by 8 handlers with many deposits each', async () => {
      const deposits = storage === 'memory' ? 50 : 12;
      await start({ options: { conflictRetries: 50 } });
      await open('hot');
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let deposit = 0; deposit < deposits; deposit++)
            await run(async (accounts) => (await accounts.load('hot')).deposit(1));
        }),
      );
      const versions = (await collect(store().read(stream('hot')))).map(({ version }) => version);
      expect(versions).toEqual(Array.from({ length: 8 * deposits + 1 }, (_, index) => index + 1));
      expect(await balance('hot')).toBe(8 * deposits);
    }, 180_000);
  });

  describe('after the commit', () => {
    it('publishes the events in order, with their recordings, to handlers outside the unit', async () => {
      const seen: unknown[] = [];
      @EventsHandler(AccountOpened, MoneyDeposited)
      class Seen implements IEventHandler {
        handle(event: object): void {
          const { version, metadata } = recordedEventOf(event);
          seen.push([event, version, metadata.userId]);
        }
      }
      await start({ providers: [Seen] });
      await CommandContext.run({ userId: 'ada' }, () =>
        run(async (accounts) => {
          const account = Account.open('a', 'Ada');
          accounts.add(account);
          account.deposit(1);
          account.deposit(2);
          expect(seen).toEqual([]);
        }),
      );
      expect(seen).toEqual([
        [new AccountOpened('Ada'), 1, 'ada'],
        [new MoneyDeposited(1), 2, 'ada'],
        [new MoneyDeposited(2), 3, 'ada'],
      ]);
    });

    it('tells each event of its own, where one instance was applied to several aggregates or in several commands', async () => {
      const seen: unknown[] = [];
      @EventsHandler(MoneyDeposited)
      class Seen implements IEventHandler {
        handle(event: object): void {
          const { stream: of, version, metadata } = recordedEventOf(event);
          seen.push([of.aggregateId, version, metadata.userId]);
        }
      }
      await start({ providers: [Seen] });
      await open('a', 'b');
      const gift = new MoneyDeposited(5);
      const give = (userId: string) =>
        CommandContext.run({ userId }, () =>
          run(async (accounts) => {
            for (const id of ['a', 'b']) (await accounts.load(id)).apply(gift);
          }),
        );
      await give('ada');
      await give('ben');
      expect(seen).toEqual([
        ['a', 2, 'ada'],
        ['b', 2, 'ada'],
        ['a', 3, 'ben'],
        ['b', 3, 'ben'],
      ]);
      expect(recordedEventOf(gift)).toMatchObject({ version: 2, stream: { aggregateId: 'a' } });
    });

    it('publishes nothing of a commit that failed', async () => {
      const seen: unknown[] = [];
      await start({ options: { conflictRetries: 1 } });
      await open('a');
      const bus = application.module.get(EventBus, { strict: false });
      bus.publisher = { publish: (event) => void seen.push(event) };
      let runs = 0;
      await run(async (accounts) => {
        const account = await accounts.load('a');
        if (++runs === 1) await interfere('a', 100);
        account.deposit(runs);
      });
      expect(seen).toEqual([new MoneyDeposited(2)]);
      const refused = run(async (accounts) => {
        const account = await accounts.load('a');
        await interfere('a', 100);
        account.deposit(3);
      });
      await expect(refused).rejects.toThrow(ConcurrencyError);
      expect(seen).toHaveLength(1);
    });

    it('a failing handler does not fail the command', async () => {
      @EventsHandler(AccountOpened)
      class Failing implements IEventHandler {
        handle(): never {
          throw new Error('handler');
        }
      }
      await start({ providers: [Failing] });
      await open('a');
      expect(await repository().exists('a')).toBe(true);
    });

    it('a failing publisher does not fail the command', async () => {
      await start();
      application.module.get(EventBus, { strict: false }).publisher = {
        publish: () => {
          throw new Error('publisher');
        },
      };
      await open('a');
      expect(await repository().exists('a')).toBe(true);
    });

    it('commands of sagas and event handlers have units of their own', async () => {
      @Injectable()
      class Sagas {
        @Saga() bonus = (events: Observable<object>): Observable<ICommand> =>
          events.pipe(
            ofType(AccountOpened),
            map(() => new Run(async (accounts) => (await accounts.load('bonus')).deposit(10))),
          );
      }
      let handled: Promise<unknown> | undefined;
      @EventsHandler(AccountOpened)
      class Welcome implements IEventHandler<AccountOpened> {
        constructor(private readonly bus: CommandBus) {}
        handle({ owner }: AccountOpened): Promise<unknown> {
          if (owner !== 'Ada') return Promise.resolve();
          return (handled = this.bus.execute(new Run(async (accounts) => (await accounts.load('a')).deposit(7))));
        }
      }
      await start({ providers: [Sagas, Welcome] });
      await run(async (accounts) => accounts.add(Account.open('bonus', 'bank')));
      await until(async () => (await balance('bonus')) === 10);
      await run(async (accounts) => accounts.add(Account.open('a', 'Ada')));
      await handled;
      await until(async () => (await balance('bonus')) === 20);
      expect(await balance('a')).toBe(7);
    });
  });

  it('events of a command with its own unit are handled outside the outer one', async () => {
    let handled: Promise<unknown> | undefined;
    @EventsHandler(MoneyDeposited)
    class Reward implements IEventHandler<MoneyDeposited> {
      constructor(private readonly bus: CommandBus) {}
      handle({ amount }: MoneyDeposited): void {
        if (amount === 5)
          handled = this.bus.execute(new Run(async (accounts) => (await accounts.load('reward')).deposit(1)));
      }
    }
    await start({ providers: [Reward] });
    await open('a', 'reward');
    const attempt = run(async () => {
      await run(async (own) => (await own.load('a')).deposit(5), RunOwn);
      await handled;
      expect(await stored('reward')).toHaveLength(2);
      throw new Error('outer');
    });
    await expect(attempt).rejects.toThrow('outer');
    expect(await balance('reward')).toBe(1);
  });

  describe('aggregates whose command has finished', () => {
    it('take no more events, as nobody would store them', async () => {
      await start();
      await open('a');
      let leaked!: Account;
      await run(async (accounts) => void (leaked = await accounts.load('a')));
      expect(() => leaked.deposit(1)).toThrow(/has finished/);
    });

    it('take no more events after the command failed', async () => {
      await start();
      await open('a');
      let leaked!: Account;
      await run(async (accounts) => {
        leaked = await accounts.load('a');
        throw new Error('no');
      }).catch(() => {});
      expect(() => leaked.deposit(1)).toThrow(/has finished/);
    });
  });

  describe('without a command', () => {
    it('save stores at once, again and again, and publishes', async () => {
      const seen: object[] = [];
      @EventsHandler(AccountOpened, MoneyDeposited)
      class Seen implements IEventHandler {
        handle(event: object): void {
          seen.push(event);
        }
      }
      await start({ providers: [Seen] });
      const account = Account.open('a', 'Ada');
      await repository().save(account);
      expect(account.version).toBe(1);
      account.deposit(4);
      await repository().save(account);
      expect([account.version, account.getUncommittedEvents()]).toEqual([2, []]);
      expect(await balance('a')).toBe(4);
      expect(seen).toEqual([new AccountOpened('Ada'), new MoneyDeposited(4)]);
    });

    it('save loses a race like everybody else', async () => {
      await start();
      await open('a');
      const account = await repository().load('a');
      await interfere('a', 1);
      account.deposit(1);
      await expect(repository().save(account)).rejects.toThrow(ConcurrencyError);
      expect(await balance('a')).toBe(1);
    });

    it('save may be tried again after it failed', async () => {
      await start();
      const account = Account.open('a', 'Ada');
      const commit = jest.spyOn(store(), 'commit').mockRejectedValueOnce(new Error('down'));
      await expect(repository().save(account)).rejects.toThrow('down');
      await repository().save(account);
      account.deposit(1);
      await repository().save(account);
      commit.mockRestore();
      expect(await stored('a')).toEqual([new AccountOpened('Ada'), new MoneyDeposited(1)]);
    });

    it('save that fails lets no event in while another save of the aggregate goes on', async () => {
      await start();
      const account = Account.open('a', 'Ada');
      const commit = store().commit.bind(store());
      let answer: (() => void) | undefined;
      const slow = jest.spyOn(store(), 'commit').mockImplementationOnce(async (...args) => {
        const result = await commit(...args);
        await new Promise<void>((resolve) => (answer = resolve));
        return result;
      });
      const first = repository().save(account);
      await until(() => answer !== undefined);
      await expect(repository().save(account)).rejects.toThrow(ConcurrencyError);
      expect(() => account.deposit(1)).toThrow(/is being saved/);
      answer!();
      await first;
      slow.mockRestore();
      account.deposit(2);
      await repository().save(account);
      expect(await stored('a')).toEqual([new AccountOpened('Ada'), new MoneyDeposited(2)]);
    });

    it('add says that there is no command', async () => {
      await start();
      expect(() => repository().add(Account.open('a', 'x'))).toThrow(/No command is running/);
    });
  });

  it('works for every command bus of the application', async () => {
    @EventsHandler(AccountOpened)
    class Seen implements IEventHandler {
      static count = 0;
      handle(): void {
        Seen.count++;
      }
    }
    await start({ imports: [{ module: CqrsModule }], providers: [Seen] });
    const buses = new Set<CommandBus>();
    for (const module of (
      application.module as unknown as {
        container: { getModules(): Map<string, { providers: Map<unknown, { instance: unknown }> }> };
      }
    ).container
      .getModules()
      .values()) {
      for (const { instance } of module.providers.values()) if (instance instanceof CommandBus) buses.add(instance);
    }
    expect(buses.size).toBe(2);
    for (const [index, bus] of [...buses].entries()) {
      await bus.execute(new Run(async (accounts) => accounts.add(Account.open(`a-${index}`, 'x'))));
      expect(await repository().exists(`a-${index}`)).toBe(true);
    }
    expect(Seen.count).toBe(2);
  });

  it('rejects a command without a handler like Nest does', async () => {
    await start();
    await expect(application.commands.execute(new Unhandled())).rejects.toThrow('Unhandled');
  });

  it('keeps a new aggregate and a loaded one of the same id apart', async () => {
    await start();
    await open('a');
    const attempt = run(async (accounts) => {
      await accounts.load('a');
      accounts.add(Account.open('a', 'again'));
    });
    await expect(attempt).rejects.toMatchObject({ code: 'INVALID_COMMIT' });
    await expect(open('a')).rejects.toMatchObject({ code: 'CONCURRENCY', expectedVersion: 0, actualVersion: 1 });
  });

  it('puts the context of the command into the metadata of its events', async () => {
    await start();
    await CommandContext.run({ userId: 'ada', correlationId: 'c-1', channel: 'web' }, () =>
      CommandContext.run({ causationId: 'e-1' }, () => open('a')),
    );
    await open('b');
    const [a] = await collect(store().read(stream('a')));
    expect(a!.metadata).toEqual({
      userId: 'ada',
      correlationId: 'c-1',
      causationId: 'e-1',
      channel: 'web',
      commandId: expect.any(String),
    });
    const [b] = await collect(store().read(stream('b')));
    expect(b!.metadata).toEqual({
      correlationId: b!.metadata.commandId,
      causationId: b!.metadata.commandId,
      commandId: expect.any(String),
    });
  });

  it('keeps the aggregates of tenants apart', async () => {
    await start();
    for (const tenantId of ['t1', 't2']) await CommandContext.run({ tenantId }, () => open('a'));
    await CommandContext.run({ tenantId: 't1' }, () =>
      run(async (accounts) => {
        (await accounts.load('a')).deposit(9);
        // In one unit of work as well, whose aggregates are kept by their streams.
        await CommandContext.run({ tenantId: 't2' }, async () => (await accounts.load('a')).deposit(5));
      }),
    );
    const balances = await Promise.all(
      ['t1', 't2'].map((tenantId) => CommandContext.run({ tenantId }, () => balance('a'))),
    );
    expect(balances).toEqual([9, 5]);
    expect(await repository().exists('a')).toBe(false);
  });
});
