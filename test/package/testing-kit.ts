import 'reflect-metadata';
import assert from 'node:assert/strict';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  CommitOutcomeUnknownError,
  EventStoreError,
  EventType,
  InjectAggregateRepository,
  On,
  Projection,
  type ProjectionContext,
} from 'nestjs-dynamodb-event-store';
import {
  createEventStoreTestingModule,
  given,
  givenProjection,
  recorded,
  type TestingApplication,
} from 'nestjs-dynamodb-event-store/testing';

/**
 * A team's own tests. scripts/check-package.ts runs them with node:test, Vitest and Jest, once as they are, and once with
 * one that has to fail.
 */

@EventType('kit.AccountOpened')
class AccountOpened {
  constructor(readonly owner: string) {}
}

@EventType('kit.MoneyDeposited')
class MoneyDeposited {
  constructor(readonly amount: number) {}
}

@Aggregate('kit-account')
class Account extends AggregateRoot {
  balance = 0;

  static open(id: string, owner: string): Account {
    const account = new Account(id);
    account.apply(new AccountOpened(owner));
    return account;
  }

  deposit(amount: number): void {
    if (amount <= 0) throw new RangeError('A deposit must be above zero.');
    this.apply(new MoneyDeposited(amount));
  }

  @On(AccountOpened) protected onOpened(): void {
    this.balance = 0;
  }

  @On(MoneyDeposited) protected onDeposited({ amount }: MoneyDeposited): void {
    this.balance += amount;
  }
}

class Deposit {
  constructor(
    readonly accountId: string,
    readonly amount: number,
  ) {}
}

@CommandHandler(Deposit)
class DepositHandler implements ICommandHandler<Deposit> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId, amount }: Deposit): Promise<void> {
    const account = await this.accounts.load(accountId);
    account.deposit(amount);
  }
}

@Projection('kit-balances', { attempts: 1 })
class Balances {
  readonly balances = new Map<string, number>();

  @On(MoneyDeposited) deposited({ amount }: MoneyDeposited, { recorded: { stream }, transaction }: ProjectionContext) {
    const id = stream.aggregateId;
    if (amount > 1000) throw new RangeError('A deposit must not be that large.');
    this.balances.set(id, (this.balances.get(id) ?? 0) + amount);
    transaction.put({ TableName: 'balances', Item: { id, balance: this.balances.get(id) } });
  }
}

const put = (id: string, balance: number) => ({ Put: { TableName: 'balances', Item: { id, balance } } });

const history = [new AccountOpened('Ada')];

async function withApplication(run: (app: TestingApplication) => Promise<void>): Promise<void> {
  const app = await createEventStoreTestingModule({ aggregates: [Account], providers: [DepositHandler, Balances] });
  try {
    await app.given(Account, 'a-1', history);
    await run(app);
  } finally {
    await app.close();
  }
}

export function testKit(test: (name: string, run: () => void | Promise<void>) => unknown): void {
  test('decides on events', () => {
    given(Account, 'a-1', history)
      .when((account) => account.deposit(5))
      .then([new MoneyDeposited(5)])
      .thenState({ balance: 5 });
    given(Account, 'a-1')
      .when(() => Account.open('a-1', 'Ada'))
      .then(history);
  });

  test('refuses', () => {
    given(Account, 'a-1', history)
      .when((account) => account.deposit(0))
      .thenThrows(RangeError)
      .thenNothing();
  });

  test('is awaited', async () => {
    await given(Account, 'a-1', history)
      .when(async (account) => account.deposit(5))
      .then([new MoneyDeposited(5)])
      .thenState((account) => account.balance === 5);
  });

  test('stores what a command decides, after a conflict as well', () =>
    withApplication(async (app) => {
      app.store.raiseConflict();
      await app.commands.execute(new Deposit('a-1', 5));
      assert.deepEqual(app.events(), [new MoneyDeposited(5)]);
    }));

  test('knows how a commit of unknown outcome ended', () =>
    withApplication(async (app) => {
      app.store.raiseOutcomeUnknown({ stored: true });
      const error: unknown = await app.commands.execute(new Deposit('a-1', 5)).catch((caught: unknown) => caught);
      assert(error instanceof EventStoreError && error instanceof CommitOutcomeUnknownError);
      assert.equal(await app.store.outcomeOf(error), 'stored');
    }));

  test('projects, and once', async () => {
    await givenProjection(Balances, [recorded(Account, 'a-1', history)])
      .when([recorded(Account, 'a-1', [new MoneyDeposited(5)]), recorded(Account, 'a-2', [new MoneyDeposited(6)])])
      .thenWrites([put('a-1', 5), put('a-2', 6)])
      .redelivered()
      .thenNothing()
      .thenProjection(({ balances }) => balances.get('a-1') === 10);
    await givenProjection(new Balances())
      .when([recorded(Account, 'a-1', [new MoneyDeposited(5000)])])
      .thenThrows(RangeError)
      .thenNothing();
  });

  test('waits for projections, and tells of parked events', () =>
    withApplication(async (app) => {
      await app.commands.execute(new Deposit('a-1', 5));
      await app.untilProjected();
      assert.deepEqual(app.writesOf(Balances), [put('a-1', 5)]);
      await app.commands.execute(new Deposit('a-1', 5000));
      await assert.rejects(app.untilProjected(), /kit-balances: version 3 of kit-account "a-1" .* is parked/);
    }));

  if (process.env.KIT_FAILS) {
    test('fails', () => {
      given(Account, 'a-1', history)
        .when((account) => account.deposit(6))
        .then([new MoneyDeposited(5)]);
    });
    test('fails later', async () => {
      await given(Account, 'a-1', history)
        .when(async (account) => account.deposit(6))
        .thenState({ balance: 5 });
    });
    test('fails for a projection', async () => {
      await givenProjection(Balances)
        .when([recorded(Account, 'a-1', [new MoneyDeposited(6)])])
        .thenWrites([put('a-1', 5)]);
    });
  }
}
