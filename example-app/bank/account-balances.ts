import { Inject, Injectable } from '@nestjs/common';
import { On, Projection, type ProjectionContext } from 'nestjs-dynamodb-event-store';
import {
  AccountClosed,
  AccountOpened,
  MoneyDeposited,
  MoneyWithdrawn,
  TransferReceived,
  TransferSent,
} from './account-events.js';
import { ACCOUNT_VIEW_TABLES } from './account-view-tokens.js';
import type { AccountViewTables } from './account-view-tables.js';

/**
 * Keeps the balance of each account, and its statement, a line for each movement. `context.transaction` stores both
 * with how far the projection has come, in one transaction: an event that comes again is not added again.
 */
@Injectable()
@Projection('account-balances')
export class AccountBalances {
  constructor(@Inject(ACCOUNT_VIEW_TABLES) private readonly tables: AccountViewTables) {}

  @On(AccountOpened) opened({ owner, alias }: AccountOpened, { recorded, transaction }: ProjectionContext): void {
    const { stream, version } = recorded;
    transaction.put({
      TableName: this.tables.balances,
      Item: { id: stream.aggregateId, owner, alias, cents: 0, isClosed: false, version },
    });
  }

  @On(MoneyDeposited) deposited({ cents }: MoneyDeposited, context: ProjectionContext): void {
    this.move(cents, null, context);
  }

  @On(MoneyWithdrawn) withdrawn({ cents }: MoneyWithdrawn, context: ProjectionContext): void {
    this.move(-cents, null, context);
  }

  @On(TransferReceived) received({ cents, fromAccount }: TransferReceived, context: ProjectionContext): void {
    this.move(cents, fromAccount, context);
  }

  @On(TransferSent) sent({ cents, toAccount }: TransferSent, context: ProjectionContext): void {
    this.move(-cents, toAccount, context);
  }

  @On(AccountClosed) closed(_: AccountClosed, { recorded, transaction }: ProjectionContext): void {
    transaction.update({
      TableName: this.tables.balances,
      Key: { id: recorded.stream.aggregateId },
      UpdateExpression: 'SET isClosed = :closed, version = :version',
      ExpressionAttributeValues: { ':closed': true, ':version': recorded.version },
    });
  }

  /** @param cents below zero when they leave the account */
  private move(cents: number, otherAccount: string | null, { recorded, transaction }: ProjectionContext): void {
    const { stream, version, eventTime, eventType, metadata } = recorded;
    transaction.update({
      TableName: this.tables.balances,
      Key: { id: stream.aggregateId },
      UpdateExpression: 'ADD cents :cents SET version = :version',
      ExpressionAttributeValues: { ':cents': cents, ':version': version },
    });
    transaction.put({
      TableName: this.tables.statements,
      Item: {
        accountId: stream.aggregateId,
        version,
        time: eventTime.toISOString(),
        type: eventType,
        cents,
        otherAccount,
        user: metadata.userId ?? null,
      },
    });
  }
}
