import { Module } from '@nestjs/common';
import { EventStoreModule } from 'nestjs-dynamodb-event-store';
import { Account } from './account.js';
import { AccountsController } from './accounts.controller.js';
import { CloseAccountHandler } from './close-account.js';
import { DepositMoneyHandler } from './deposit-money.js';
import { OpenAccountHandler } from './open-account.js';
import { TransferMoneyHandler } from './transfer-money.js';
import { WithdrawMoneyHandler } from './withdraw-money.js';

@Module({
  imports: [EventStoreModule.forFeature([Account])],
  controllers: [AccountsController],
  providers: [OpenAccountHandler, DepositMoneyHandler, WithdrawMoneyHandler, TransferMoneyHandler, CloseAccountHandler],
})
export class BankModule {}
