import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  EventStore,
  EventStoreModule,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  On,
  Projection,
  type ProjectionContext,
  type TableNames,
} from '../../../src/index.js';
import { Account, MoneyDeposited, MoneyWithdrawn } from '../../setup/bank.js';

@Aggregate('snapshot-account', { snapshotEvery: 1 })
export class SnapshotAccount extends Account {}

@Aggregate('inline-account', { snapshot: 'inline' })
export class InlineAccount extends Account {}

/** What it books is summed up by an inline projection. */
@Aggregate('summed-account')
export class SummedAccount extends Account {}

export const ACCOUNTS = [Account, SnapshotAccount, InlineAccount, SummedAccount] as const;

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
    @InjectAggregateRepository(SummedAccount) summedAccounts: AggregateRepository<SummedAccount>,
  ) {
    this.repositories = new Map<AccountClass, AggregateRepository<Account>>([
      [Account, accounts],
      [SnapshotAccount, snapshotAccounts],
      [InlineAccount, inlineAccounts],
      [SummedAccount, summedAccounts],
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

const SUMS_TABLE = Symbol('sums');

/** Written twice, a deposit would show in the sum; nobody withdraws what is not in it. */
@Injectable()
@Projection('sums', { inline: true, aggregates: [SummedAccount] })
class Sums {
  constructor(@Inject(SUMS_TABLE) private readonly tableName: string) {}

  @On(MoneyDeposited) deposited({ amount }: MoneyDeposited, context: ProjectionContext): void {
    this.add(amount, context);
  }

  @On(MoneyWithdrawn) withdrawn({ amount }: MoneyWithdrawn, context: ProjectionContext): void {
    this.add(-amount, context, { ConditionExpression: 'attribute_exists(id)' });
  }

  private add(amount: number, { recorded, transaction }: ProjectionContext, condition: object = {}): void {
    transaction.update({
      TableName: this.tableName,
      Key: { id: recorded.stream.aggregateId },
      UpdateExpression: 'ADD #sum :amount',
      ExpressionAttributeNames: { '#sum': 'sum' },
      ExpressionAttributeValues: { ':amount': amount },
      ...condition,
    });
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
  sumsTable: string,
  deadlineMs: number,
): Promise<BankApplication> {
  const root = {
    module: BankModule,
    imports: [
      CqrsModule.forRoot(),
      EventStoreModule.forRoot({ client, tables, deadlineMs, snapshots: { wait: true } }),
      EventStoreModule.forFeature(ACCOUNTS),
    ],
    providers: [
      OpenAccountHandler,
      DepositHandler,
      TransferHandler,
      Sums,
      { provide: SUMS_TABLE, useValue: sumsTable },
    ],
  };
  const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  return {
    commands: application.get(CommandBus, { strict: false }),
    store: application.get(EventStore, { strict: false }),
    accounts: application.get<AggregateRepository<Account>>(getAggregateRepositoryToken(Account), { strict: false }),
    close: () => application.close(),
  };
}
