import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Inject, Module } from '@nestjs/common';
import { ModuleRef, NestFactory } from '@nestjs/core';
import { CommandBus, CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import {
  AggregateRepository,
  EventStore,
  EventStoreModule,
  getAggregateRepositoryToken,
  type TableNames,
} from '../../../src/index.js';
import { ACCOUNT_KINDS, kindOf, streamOf, type Account } from './account.js';
import type { Booking, BookingEntry } from './booking-plan.js';

export class Book {
  constructor(readonly booking: Booking) {}
}

class BookEntry {
  constructor(
    readonly booking: number,
    readonly entry: BookingEntry,
  ) {}
}

/** The repositories of all kinds of accounts. */
class Accounts {
  constructor(@Inject(ModuleRef) private readonly module: ModuleRef) {}

  async book(booking: number, { account, changes }: BookingEntry): Promise<void> {
    const found = await this.repositoryOf(account).find(streamOf(account).aggregateId);
    const booked = found ?? this.make(account);
    changes.forEach((change, part) => booked.book(booking, part, change));
    if (!found) this.repositoryOf(account).add(booked);
  }

  addNew(booking: number, { account, changes }: BookingEntry): void {
    const made = this.make(account);
    changes.forEach((change, part) => made.book(booking, part, change));
    this.repositoryOf(account).add(made);
  }

  repositoryOf(account: number): AggregateRepository<Account> {
    return this.module.get(getAggregateRepositoryToken(kindOf(account).accountClass), { strict: false });
  }

  private make(account: number): Account {
    return new (kindOf(account).accountClass)(streamOf(account).aggregateId);
  }
}

@CommandHandler(Book)
class BookHandler implements ICommandHandler<Book> {
  runs = 0;

  constructor(
    @Inject(Accounts) private readonly accounts: Accounts,
    @Inject(CommandBus) private readonly commands: CommandBus,
  ) {}

  async execute({ booking: { number, manner, entries } }: Book): Promise<void> {
    this.runs++;
    switch (manner) {
      case 'open':
        for (const entry of entries) this.accounts.addNew(number, entry);
        return;
      case 'in-order':
        for (const entry of entries) await this.accounts.book(number, entry);
        return;
      case 'side-by-side':
        await Promise.all(entries.map((entry) => this.accounts.book(number, entry)));
        return;
      case 'nested':
        for (const entry of entries) await this.commands.execute(new BookEntry(number, entry));
    }
  }
}

@CommandHandler(BookEntry)
class BookEntryHandler implements ICommandHandler<BookEntry> {
  constructor(@Inject(Accounts) private readonly accounts: Accounts) {}

  execute({ booking, entry }: BookEntry): Promise<void> {
    return this.accounts.book(booking, entry);
  }
}

@Module({})
class BankModule {}

export interface Bank {
  readonly commands: CommandBus;
  readonly eventStore: EventStore;
  /** How often a handler ran, repetitions after lost races included. */
  readonly runs: number;
  load(account: number): Promise<Account>;
  close(): Promise<void>;
}

export interface BankOptions {
  readonly client: DynamoDBClient;
  readonly tables: TableNames;
  readonly deadlineMs: number;
  readonly conflictRetries: number;
}

export async function startBank(options: BankOptions): Promise<Bank> {
  const root = {
    module: BankModule,
    imports: [
      CqrsModule.forRoot(),
      // The tables are there; but a mere check of them would have to be over by a deadline that is short on purpose.
      EventStoreModule.forRoot({ ...options, provision: true }),
      EventStoreModule.forFeature(ACCOUNT_KINDS.map(({ accountClass }) => accountClass)),
    ],
    providers: [Accounts, BookHandler, BookEntryHandler],
  };
  const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  const handler = application.get(BookHandler);
  const accounts = application.get(Accounts);
  return {
    commands: application.get(CommandBus, { strict: false }),
    eventStore: application.get(EventStore, { strict: false }),
    get runs() {
      return handler.runs;
    },
    load: (account) => accounts.repositoryOf(account).load(streamOf(account).aggregateId),
    close: () => application.close(),
  };
}
