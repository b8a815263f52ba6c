import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AggregateRepository, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { Account } from './account.js';

export class WithdrawMoney {
  constructor(
    readonly accountId: string,
    readonly cents: number,
  ) {}
}

@CommandHandler(WithdrawMoney)
export class WithdrawMoneyHandler implements ICommandHandler<WithdrawMoney> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId, cents }: WithdrawMoney): Promise<void> {
    const account = await this.accounts.load(accountId);
    account.withdraw(cents);
  }
}
