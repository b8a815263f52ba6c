import { randomUUID } from 'node:crypto';
import { IsNotEmpty, IsOptional, IsString } from 'class-validator';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AggregateRepository, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { Account } from './account.js';

export class OpenAccount {
  @IsString() @IsNotEmpty() readonly owner: string;
  @IsOptional() @IsString() @IsNotEmpty() readonly alias: string | undefined;

  constructor(owner: string, alias?: string) {
    this.owner = owner;
    this.alias = alias;
  }
}

@CommandHandler(OpenAccount)
export class OpenAccountHandler implements ICommandHandler<OpenAccount> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  /**
   * The id is made here and not by who sends the command: a request that is repeated with its `Idempotency-Key` is then
   * the same command, and gets the first id.
   */
  async execute({ owner, alias }: OpenAccount): Promise<string> {
    const id = randomUUID();
    // Nothing is stored here: when the command finishes, its events are.
    this.accounts.add(Account.open(id, owner, alias));
    return id;
  }
}
