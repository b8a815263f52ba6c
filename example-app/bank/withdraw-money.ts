import { IsInt, IsNotEmpty, IsPositive, IsString } from 'class-validator';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AggregateRepository, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { Account } from './account.js';

export class WithdrawMoney {
  @IsString() @IsNotEmpty() readonly accountId: string;
  @IsInt() @IsPositive() readonly cents: number;

  constructor(accountId: string, cents: number) {
    this.accountId = accountId;
    this.cents = cents;
  }
}

@CommandHandler(WithdrawMoney)
export class WithdrawMoneyHandler implements ICommandHandler<WithdrawMoney> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId, cents }: WithdrawMoney): Promise<void> {
    const account = await this.accounts.load(accountId);
    account.withdraw(cents);
  }
}
