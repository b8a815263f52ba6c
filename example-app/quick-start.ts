import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  EventStoreModule,
  EventType,
  InjectAggregateRepository,
  On,
} from 'nestjs-dynamodb-event-store';

// 1. Events: what happened. The name in quotes is stored for ever; the class may be renamed.
@EventType('bank.AccountOpened')
class AccountOpened {
  constructor(readonly owner: string) {}
}

@EventType('bank.MoneyDeposited')
class MoneyDeposited {
  constructor(readonly amount: number) {}
}

// 2. An aggregate: its methods decide, its @On methods change state.
@Aggregate('account')
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

// 3. Commands and their handlers: load, decide, return. No save, no commit.
class OpenAccount {
  constructor(
    readonly accountId: string,
    readonly owner: string,
  ) {}
}

class Deposit {
  constructor(
    readonly accountId: string,
    readonly amount: number,
  ) {}
}

@CommandHandler(OpenAccount)
class OpenAccountHandler implements ICommandHandler<OpenAccount> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId, owner }: OpenAccount): Promise<void> {
    this.accounts.add(Account.open(accountId, owner));
  }
}

@CommandHandler(Deposit)
class DepositHandler implements ICommandHandler<Deposit> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId, amount }: Deposit): Promise<number> {
    const account = await this.accounts.load(accountId);
    account.deposit(amount);
    return account.balance;
  }
}

// 4. The module.
@Module({
  imports: [
    CqrsModule.forRoot(),
    EventStoreModule.forRoot({ storage: 'memory' }),
    EventStoreModule.forFeature([Account]),
  ],
  providers: [OpenAccountHandler, DepositHandler],
})
class BankModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(BankModule, { logger: ['error'] });
  const commands = app.get(CommandBus, { strict: false });
  await commands.execute(new OpenAccount('a-1', 'Ada'));
  await commands.execute(new Deposit('a-1', 5));
  console.log(`Balance: ${await commands.execute(new Deposit('a-1', 7))}`);
  await app.close();
}

void main();
