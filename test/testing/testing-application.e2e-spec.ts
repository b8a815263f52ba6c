import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { CommandBus, CommandHandler, CqrsModule, EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { Test } from '@nestjs/testing';
import { defer, firstValueFrom } from 'rxjs';
import {
  AggregateRepository,
  CommandContext,
  CommandContextInterceptor,
  CommitOutcomeUnknownError,
  ConcurrencyError,
  EventStore,
  EventStoreModule,
  EventStoreUnavailableError,
  InjectAggregateRepository,
  InvalidEventError,
  MissingTenantError,
} from '../../src/index.js';
import {
  createEventStoreTestingModule,
  EventStoreDouble,
  EventStoreTestingModule,
  type EventStoreTestingOptions,
  type TestingApplication,
} from '../../src/testing/index.js';
import { Account, AccountOpened, MoneyDeposited } from '../setup/bank.js';

class Deposit {
  constructor(
    readonly accountId: string,
    readonly amount: number,
  ) {}
}

@Injectable()
class Runs {
  count = 0;
}

@CommandHandler(Deposit)
class DepositHandler {
  constructor(
    @InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>,
    private readonly runs: Runs,
  ) {}

  async execute({ accountId, amount }: Deposit): Promise<number> {
    this.runs.count++;
    const account = await this.accounts.load(accountId);
    account.deposit(amount);
    return account.balance;
  }
}

@EventsHandler(MoneyDeposited)
class Deposits implements IEventHandler<MoneyDeposited> {
  readonly seen: number[] = [];

  handle({ amount }: MoneyDeposited): void {
    this.seen.push(amount);
  }
}

const parts = { aggregates: [Account], providers: [DepositHandler, Runs, Deposits] };

describe('an application in one line', () => {
  let app: TestingApplication;

  beforeEach(async () => {
    app = await createEventStoreTestingModule(parts);
    await app.given(Account, 'a-1', [new AccountOpened('Ada'), new MoneyDeposited(1)]);
  });

  afterEach(() => app.close());

  it('runs commands, and shows the events that they stored', async () => {
    expect(await app.commands.execute(new Deposit('a-1', 5))).toBe(6);
    expect(app.events()).toEqual([new MoneyDeposited(5)]);
    expect(app.events()[0]).toBeInstanceOf(MoneyDeposited);
    expect(app.recordedEvents()).toMatchObject([{ version: 3, metadata: { commandId: expect.any(String) } }]);
    expect((await app.repository(Account).load('a-1')).balance).toBe(6);
    expect(app.get(Deposits).seen).toEqual([5]);
  });

  it('is the module of production, with the double as its store', () => {
    expect(app.get(EventStore)).toBe(app.store);
    expect(app.store).toBeInstanceOf(EventStoreDouble);
    expect(app.get(EventStoreModule)).toBeInstanceOf(EventStoreModule);
    expect(app.get(CommandBus)).toBe(app.commands);
  });

  it('checks events by their class-validator rules', async () => {
    await expect(app.commands.execute(new Deposit('a-1', 1.5))).rejects.toThrow(InvalidEventError);
    expect(app.events()).toEqual([]);
  });

  it('runs a command again after a conflict', async () => {
    app.store.raiseConflict({ times: 2 });
    await app.commands.execute(new Deposit('a-1', 5));
    expect(app.get(Runs).count).toBe(3);
    expect(app.events()).toEqual([new MoneyDeposited(5)]);
  });

  it('publishes nothing of a commit that failed, and can settle one of unknown outcome', async () => {
    app.store.raiseUnavailable();
    await expect(app.commands.execute(new Deposit('a-1', 5))).rejects.toThrow(EventStoreUnavailableError);
    app.store.raiseOutcomeUnknown({ stored: true });
    const error = (await app.commands.execute(new Deposit('a-1', 5)).catch((caught: unknown) => caught)) as object;
    expect(error).toBeInstanceOf(CommitOutcomeUnknownError);
    expect(await app.store.outcomeOf(error as CommitOutcomeUnknownError)).toBe('stored');
    expect(app.events()).toEqual([new MoneyDeposited(5)]);
    expect(app.get(Deposits).seen).toEqual([]);
    expect(app.get(Runs).count).toBe(2);
  });
});

describe('the options of an application for tests', () => {
  it('are those of EventStoreModule', async () => {
    const options = { conflictRetries: 0, requireTenant: true };
    const app = await createEventStoreTestingModule({ ...parts, options });
    try {
      await expect(app.commands.execute(new Deposit('a-1', 5))).rejects.toThrow(MissingTenantError);
      await expect(app.given(Account, 'a-1', [new AccountOpened('Ada')])).rejects.toThrow(MissingTenantError);
      await CommandContext.run({ tenantId: 't-1' }, async () => {
        await app.given(Account, 'a-1', [new AccountOpened('Ada')]);
        app.store.raiseConflict();
        await expect(app.commands.execute(new Deposit('a-1', 5))).rejects.toThrow(ConcurrencyError);
      });
    } finally {
      await app.close();
    }
  });

  it('say where the interceptor finds user and tenant, and how long keys of commands are kept', async () => {
    const keepForMs = 900_000;
    const options: EventStoreTestingOptions = {
      commandContext: { userId: ({ by }: { by: string }) => by },
      idempotency: { keepForMs },
    };
    const providers = [...parts.providers, CommandContextInterceptor];
    const app = await createEventStoreTestingModule({ ...parts, providers, options });
    const clock = Date.now;
    try {
      await app.given(Account, 'a-1', [new AccountOpened('Ada')]);
      const rpc = new ExecutionContextHost([
        { by: 'ada' },
        { getHeaders: () => new Map([['idempotency-key', 'k-1']]) },
      ]);
      rpc.setType('rpc');
      const deposit = () => {
        const next = { handle: () => defer(() => app.commands.execute(new Deposit('a-1', 5))) };
        return firstValueFrom(app.get(CommandContextInterceptor).intercept(rpc, next));
      };
      expect([await deposit(), await deposit()]).toEqual([5, 5]);
      expect(app.recordedEvents()).toMatchObject([{ metadata: { userId: 'ada' } }]);
      Date.now = () => clock() + keepForMs;
      expect(await deposit()).toBe(10);
    } finally {
      Date.now = clock;
      await app.close();
    }
  });

  it('rejects when the application does not start, and the process goes on', async () => {
    const broken = createEventStoreTestingModule({ aggregates: [class Plain {}], logger: false });
    await expect(broken).rejects.toThrow('is not an aggregate');
    await expect(createEventStoreTestingModule({ providers: [DepositHandler], logger: false })).rejects.toThrow();
  });
});

describe('EventStoreTestingModule', () => {
  it('takes the place of EventStoreModule.forRoot in an application of your own', async () => {
    const module = await Test.createTestingModule({
      imports: [CqrsModule.forRoot(), EventStoreTestingModule.forRoot(), EventStoreModule.forFeature([Account])],
      providers: [DepositHandler, Runs],
    }).compile();
    await module.init();
    const store = module.get(EventStoreDouble, { strict: false });
    await store.seed({ aggregateType: 'test-account', aggregateId: 'a-1' }, [new AccountOpened('Ada')]);
    await module.get(CommandBus, { strict: false }).execute(new Deposit('a-1', 5));
    expect(store.commits).toHaveLength(1);
    await module.close();
  });
});
