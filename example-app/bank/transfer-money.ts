import { IsInt, IsNotEmpty, IsPositive, IsString } from 'class-validator';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AggregateRepository, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { SameAccountError } from './account-errors.js';
import { Account } from './account.js';

export class TransferMoney {
  @IsString() @IsNotEmpty() readonly fromAccount: string;
  @IsString() @IsNotEmpty() readonly toAccount: string;
  @IsInt() @IsPositive() readonly cents: number;

  constructor(fromAccount: string, toAccount: string, cents: number) {
    this.fromAccount = fromAccount;
    this.toAccount = toAccount;
    this.cents = cents;
  }
}

@CommandHandler(TransferMoney)
export class TransferMoneyHandler implements ICommandHandler<TransferMoney> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  /** Two accounts, one command: their events are stored in one atomic commit, so that money is never half way. */
  async execute({ fromAccount, toAccount, cents }: TransferMoney): Promise<void> {
    if (fromAccount === toAccount) throw new SameAccountError();
    const [from, to] = await Promise.all([this.accounts.load(fromAccount), this.accounts.load(toAccount)]);
    from.send(cents, toAccount);
    to.receive(cents, fromAccount);
  }
}
