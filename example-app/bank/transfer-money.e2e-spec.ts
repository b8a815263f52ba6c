import { expect, it } from '@jest/globals';
import { createEventStoreTestingModule } from 'nestjs-dynamodb-event-store/testing';
import { AccountOpened, MoneyDeposited, TransferReceived, TransferSent } from './account-events.js';
import { Account } from './account.js';
import { TransferMoney, TransferMoneyHandler } from './transfer-money.js';

it('transfers money when another command came first', async () => {
  const app = await createEventStoreTestingModule({ aggregates: [Account], providers: [TransferMoneyHandler] });
  await app.given(Account, 'a-1', [new AccountOpened('Ada'), new MoneyDeposited(500)]);
  await app.given(Account, 'b-1', [new AccountOpened('Bob')]);
  app.store.raiseConflict();
  await app.commands.execute(new TransferMoney('a-1', 'b-1', 200));
  expect(app.store.commits).toHaveLength(1);
  expect(app.events()).toContainEqual(new TransferSent(200, 'b-1'));
  expect(app.events()).toContainEqual(new TransferReceived(200, 'a-1'));
  await app.close();
});
