import { Aggregate, AggregateRoot, On } from 'nestjs-dynamodb-event-store';
import { AccountIsClosedError, AccountNotEmptyError, InsufficientFundsError } from './account-errors.js';
import {
  AccountClosed,
  AccountOpened,
  MoneyDeposited,
  MoneyWithdrawn,
  TransferReceived,
  TransferSent,
} from './account-events.js';

/**
 * A bank account. Its methods decide and apply events; its @On methods change its state, also when it is loaded. A
 * busy account has a long history, so every hundredth version leaves a snapshot for the next load to start from.
 */
@Aggregate('account', { snapshotEvery: 100, snapshotVersion: 2 })
export class Account extends AggregateRoot {
  owner = '';
  alias: string | null = null;
  cents = 0;
  isClosed = false;

  static open(id: string, owner: string, alias: string | null = null): Account {
    const account = new Account(id);
    account.apply(new AccountOpened(owner, alias));
    // Only one account at a time may have an alias: the command fails when another has it.
    if (alias !== null) account.reserve('alias', alias);
    return account;
  }

  deposit(cents: number): void {
    this.assertOpen();
    this.apply(new MoneyDeposited(cents));
  }

  withdraw(cents: number): void {
    this.assertHolds(cents);
    this.apply(new MoneyWithdrawn(cents));
  }

  send(cents: number, toAccount: string): void {
    this.assertHolds(cents);
    this.apply(new TransferSent(cents, toAccount));
  }

  receive(cents: number, fromAccount: string): void {
    this.assertOpen();
    this.apply(new TransferReceived(cents, fromAccount));
  }

  close(): void {
    this.assertOpen();
    if (this.cents > 0) throw new AccountNotEmptyError(this.id);
    this.apply(new AccountClosed());
    if (this.alias !== null) this.release('alias', this.alias);
  }

  @On(AccountOpened) protected onOpened({ owner, alias }: AccountOpened): void {
    this.owner = owner;
    this.alias = alias;
  }

  @On(MoneyDeposited) protected onDeposited({ cents }: MoneyDeposited): void {
    this.cents += cents;
  }

  @On(MoneyWithdrawn) protected onWithdrawn({ cents }: MoneyWithdrawn): void {
    this.cents -= cents;
  }

  @On(TransferSent) protected onSent({ cents }: TransferSent): void {
    this.cents -= cents;
  }

  @On(TransferReceived) protected onReceived({ cents }: TransferReceived): void {
    this.cents += cents;
  }

  @On(AccountClosed) protected onClosed(): void {
    this.isClosed = true;
  }

  private assertOpen(): void {
    if (this.isClosed) throw new AccountIsClosedError(this.id);
  }

  private assertHolds(cents: number): void {
    this.assertOpen();
    if (cents > this.cents) throw new InsufficientFundsError(this.id, cents);
  }
}
