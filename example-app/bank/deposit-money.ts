import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AggregateRepository, ConflictRetries, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { Account } from './account.js';

export class DepositMoney {
  constructor(
    readonly accountId: string,
    readonly cents: number,
  ) {}
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
