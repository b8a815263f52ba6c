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
} from 'nestjs-dynamodb-event-store';
import { createEventStoreTestingModule, given, type TestingApplication } from 'nestjs-dynamodb-event-store/testing';

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

const history = [new AccountOpened('Ada')];

async function withApplication(run: (app: TestingApplication) => Promise<void>): Promise<void> {
  const app = await createEventStoreTestingModule({ aggregates: [Account], providers: [DepositHandler] });
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
  }
}
