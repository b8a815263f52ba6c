import { describe, it } from '@jest/globals';
import { given } from 'nestjs-dynamodb-event-store/testing';
import { AccountIsClosedError, AccountNotEmptyError, InsufficientFundsError } from './account-errors.js';
import {
  AccountClosed,
  AccountOpened,
  MoneyDeposited,
  MoneyWithdrawn,
  TransferReceived,
  TransferSent,
} from './account-events.js';
import { Account } from './account.js';

const opened = new AccountOpened('Ada');

it('is opened', () => {
  given(Account, 'a-1')
    .when(() => Account.open('a-1', 'Ada'))
    .then([new AccountOpened('Ada')]);
});

it('pays out what it holds', () => {
  given(Account, 'a-1', [new AccountOpened('Ada'), new MoneyDeposited(500)])
    .when((account) => account.withdraw(200))
    .then([new MoneyWithdrawn(200)])
    .thenState({ cents: 300 });
});

it('pays out no more than that', () => {
  given(Account, 'a-1', [new AccountOpened('Ada'), new MoneyDeposited(500)])
    .when((account) => account.withdraw(501))
    .thenThrows(InsufficientFundsError);
});

it('counts transfers both ways', () => {
  given(Account, 'a-1', [opened, new TransferReceived(500, 'b-1')])
    .when((account) => account.send(200, 'c-1'))
    .then([new TransferSent(200, 'c-1')])
    .thenState({ cents: 300 });
});

it('is closed when it is empty', () => {
  given(Account, 'a-1', [opened])
    .when((account) => account.close())
    .then([new AccountClosed()])
    .thenState({ isClosed: true });
  given(Account, 'a-1', [opened, new MoneyDeposited(1)])
    .when((account) => account.close())
    .thenThrows(AccountNotEmptyError);
});

describe('a closed account', () => {
  const closed = given(Account, 'a-1', [opened, new AccountClosed()]);

  it.each<[string, (account: Account) => void]>([
    ['deposit', (account) => account.deposit(1)],
    ['withdrawal', (account) => account.withdraw(1)],
    ['transfer out', (account) => account.send(1, 'b-1')],
    ['transfer in', (account) => account.receive(1, 'b-1')],
    ['closing', (account) => account.close()],
  ])('refuses a %s', (_, decide) => {
    closed.when(decide).thenThrows(AccountIsClosedError);
  });
});
