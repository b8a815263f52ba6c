import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  EventStore,
  EventStoreModule,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  type TableNames,
} from '../../../src/index.js';
import { Account } from '../../setup/bank.js';

@Aggregate('snapshot-account', { snapshotEvery: 1 })
export class SnapshotAccount extends Account {}

@Aggregate('inline-account', { snapshot: 'inline' })
export class InlineAccount extends Account {}

export const ACCOUNTS = [Account, SnapshotAccount, InlineAccount] as const;

export type AccountClass = (typeof ACCOUNTS)[number];

export class OpenAccount {
  constructor(
    readonly accountId: string,
    readonly owner: string,
  ) {}
}

export class Deposit {
  constructor(
    readonly accountClass: AccountClass,
    readonly accountId: string,
    readonly amount: number,
    /** What happens between the load and the commit. */
    readonly meanwhile: () => Promise<void> = async () => {},
  ) {}
}

export class Transfer {
  constructor(
    readonly from: string,
    readonly to: string,
    readonly amount: number,
  ) {}
}

@CommandHandler(OpenAccount)
class OpenAccountHandler implements ICommandHandler<OpenAccount> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId, owner }: OpenAccount): Promise<void> {
    this.accounts.add(Account.open(accountId, owner));
  }
}

@CommandHandler(Deposit)
class DepositHandler implements ICommandHandler<Deposit> {
  private readonly repositories: ReadonlyMap<AccountClass, AggregateRepository<Account>>;

  constructor(
    @InjectAggregateRepository(Account) accounts: AggregateRepository<Account>,
    @InjectAggregateRepository(SnapshotAccount) snapshotAccounts: AggregateRepository<SnapshotAccount>,
    @InjectAggregateRepository(InlineAccount) inlineAccounts: AggregateRepository<InlineAccount>,
  ) {
    this.repositories = new Map<AccountClass, AggregateRepository<Account>>([
      [Account, accounts],
      [SnapshotAccount, snapshotAccounts],
      [InlineAccount, inlineAccounts],
    ]);
  }

  async execute({ accountClass, accountId, amount, meanwhile }: Deposit): Promise<number> {
    const account = await this.repositories.get(accountClass)!.load(accountId);
    account.deposit(amount);
    await meanwhile();
    return account.balance;
  }
}

@CommandHandler(Transfer)
class TransferHandler implements ICommandHandler<Transfer> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ from, to, amount }: Transfer): Promise<void> {
    const giver = await this.accounts.load(from);
    const taker = await this.accounts.load(to);
    giver.withdraw(amount);
    taker.deposit(amount);
  }
}

@Module({})
class BankModule {}

export interface BankApplication {
  readonly commands: CommandBus;
  readonly store: EventStore;
  readonly accounts: AggregateRepository<Account>;
  close(): Promise<void>;
}

/** A Nest application with the event store, on tables that are there. */
export async function startBank(
  client: DynamoDBClient,
  tables: TableNames,
  deadlineMs: number,
): Promise<BankApplication> {
  const root = {
    module: BankModule,
    imports: [
      CqrsModule.forRoot(),
      EventStoreModule.forRoot({ client, tables, deadlineMs, snapshots: { wait: true } }),
      EventStoreModule.forFeature(ACCOUNTS),
    ],
    providers: [OpenAccountHandler, DepositHandler, TransferHandler],
  };
  const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  return {
    commands: application.get(CommandBus, { strict: false }),
    store: application.get(EventStore, { strict: false }),
    accounts: application.get<AggregateRepository<Account>>(getAggregateRepositoryToken(Account), { strict: false }),
    close: () => application.close(),
  };
}
