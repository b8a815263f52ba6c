import { IsNotEmpty, IsString } from 'class-validator';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AggregateRepository, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { Account } from './account.js';

export class CloseAccount {
  @IsString() @IsNotEmpty() readonly accountId: string;

  constructor(accountId: string) {
    this.accountId = accountId;
  }
}

@CommandHandler(CloseAccount)
export class CloseAccountHandler implements ICommandHandler<CloseAccount> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId }: CloseAccount): Promise<void> {
    const account = await this.accounts.load(accountId);
    account.close();
  }
}
