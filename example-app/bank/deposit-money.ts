import { IsInt, IsNotEmpty, IsPositive, IsString } from 'class-validator';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AggregateRepository, ConflictRetries, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { Account } from './account.js';

export class DepositMoney {
  @IsString() @IsNotEmpty() readonly accountId: string;
  @IsInt() @IsPositive() readonly cents: number;

  constructor(accountId: string, cents: number) {
    this.accountId = accountId;
    this.cents = cents;
  }
}

/** Many may pay into one account at the same moment, and each is welcome: more retries than the usual three. */
@ConflictRetries(10)
@CommandHandler(DepositMoney)
export class DepositMoneyHandler implements ICommandHandler<DepositMoney> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId, cents }: DepositMoney): Promise<void> {
    const account = await this.accounts.load(accountId);
    account.deposit(cents);
  }
}
