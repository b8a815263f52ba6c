import { IsInt, IsString } from 'class-validator';
import { Aggregate, AggregateRoot, EventType, On } from '../../src/index.js';

/** A small domain for the tests. */

@EventType('test.AccountOpened')
export class AccountOpened {
  constructor(readonly owner: string) {}
}

@EventType('test.MoneyDeposited')
export class MoneyDeposited {
  @IsInt() readonly amount: number;
  @IsString() readonly currency: string;

  constructor(amount: number, currency = 'EUR') {
    this.amount = amount;
    this.currency = currency;
  }
}

@EventType('test.MoneyWithdrawn')
export class MoneyWithdrawn {
  constructor(readonly amount: number) {}
}

@Aggregate('test-account')
export class Account extends AggregateRoot {
  balance = 0;
  owner = '';

  static open(id: string, owner: string): Account {
    const account = new Account(id);
    account.apply(new AccountOpened(owner));
    return account;
  }

  deposit(amount: number): void {
    this.apply(new MoneyDeposited(amount));
  }

  withdraw(amount: number): void {
    if (amount > this.balance) throw new RangeError('Not enough money.');
    this.apply(new MoneyWithdrawn(amount));
  }

  @On(AccountOpened) protected onOpened(event: AccountOpened): void {
    this.owner = event.owner;
  }

  @On(MoneyDeposited) protected onDeposited(event: MoneyDeposited): void {
    this.balance += event.amount;
  }

  @On(MoneyWithdrawn) protected onWithdrawn(event: MoneyWithdrawn): void {
    if (Number.isNaN(event.amount)) throw new RangeError('This is no amount.');
    this.balance -= event.amount;
  }
}
