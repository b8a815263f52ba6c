import { expect, it } from '@jest/globals';
import { On, Projection, type ProjectionContext } from 'nestjs-dynamodb-event-store';
import { createEventStoreTestingModule, givenProjection, recorded } from 'nestjs-dynamodb-event-store/testing';
import { AccountOpened, MoneyDeposited, MoneyWithdrawn } from './account-events.js';
import { Account } from './account.js';

/** A view with a line for each account. */
@Projection('balances')
class Balances {
  @On(MoneyDeposited) deposited({ cents }: MoneyDeposited, context: ProjectionContext): void {
    this.add(cents, context);
  }

  @On(MoneyWithdrawn) withdrawn({ cents }: MoneyWithdrawn, context: ProjectionContext): void {
    this.add(-cents, context);
  }

  private add(cents: number, { recorded: { stream }, transaction }: ProjectionContext): void {
    transaction.update({
      TableName: 'balances',
      Key: { id: stream.aggregateId },
      UpdateExpression: 'ADD cents :cents',
      ExpressionAttributeValues: { ':cents': cents },
    });
  }
}

const added = (id: string, cents: number) => ({
  Update: {
    TableName: 'balances',
    Key: { id },
    UpdateExpression: 'ADD cents :cents',
    ExpressionAttributeValues: { ':cents': cents },
  },
});

it('adds up deposits and withdrawals, once', async () => {
  await givenProjection(Balances, [recorded(Account, 'a-1', [new AccountOpened('Ada')])])
    .when([recorded(Account, 'a-1', [new MoneyDeposited(500), new MoneyWithdrawn(200)])])
    .thenWrites([added('a-1', 500), added('a-1', -200)])
    .redelivered()
    .thenNothing();
});

it('follows the accounts of an application', async () => {
  const app = await createEventStoreTestingModule({ aggregates: [Account], providers: [Balances] });
  await app.given(Account, 'a-1', [new AccountOpened('Ada'), new MoneyDeposited(500)]);
  await app.untilProjected();
  expect(app.writesOf(Balances)).toEqual([added('a-1', 500)]);
  await app.close();
});
