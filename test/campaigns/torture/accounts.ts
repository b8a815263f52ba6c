import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  EventStoreModule,
  EventType,
  InjectAggregateRepository,
  On,
  type EventStoreModuleOptions,
} from '../../../src/index.js';

/** Each event of a command carries the command's key, so that it can be found again and counted. */

@EventType('torture.Opened')
export class Opened {}

@EventType('torture.Booked')
export class Booked {
  constructor(
    readonly key: string,
    readonly amount: number,
  ) {}
}

export class InsufficientFundsError extends Error {
  override readonly name = 'InsufficientFundsError';
}

@Aggregate('torture-account', { snapshotEvery: 50 })
export class Account extends AggregateRoot {
  balance = 0;
  bookings = 0;

  static open(id: string): Account {
    const account = new Account(id);
    account.apply(new Opened());
    return account;
  }

  book(key: string, amount: number): void {
    if (this.balance + amount < 0) throw new InsufficientFundsError('Not enough money.');
    this.apply(new Booked(key, amount));
  }

  @On(Opened) protected onOpened(): void {}

  @On(Booked) protected onBooked({ amount }: Booked): void {
    this.balance += amount;
    this.bookings++;
  }
}

/** Amounts to book together, by account. An account that is not there is opened. */
export type Bookings = Readonly<Record<string, readonly number[]>>;

export class Book {
  constructor(
    readonly key: string,
    readonly bookings: Bookings,
  ) {}
}

@CommandHandler(Book)
@Injectable()
class BookHandler implements ICommandHandler<Book> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ key, bookings }: Book): Promise<void> {
    await Promise.all(Object.entries(bookings).map(([id, amounts]) => this.bookOn(id, key, amounts)));
  }

  private async bookOn(id: string, key: string, amounts: readonly number[]): Promise<void> {
    const account = (await this.accounts.find(id)) ?? Account.open(id);
    if (account.version === 0) this.accounts.add(account);
    for (const amount of amounts) account.book(key, amount);
  }
}

@Module({})
export class AccountsModule {
  static on(options: EventStoreModuleOptions): DynamicModule {
    return {
      module: AccountsModule,
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(options), EventStoreModule.forFeature([Account])],
      providers: [BookHandler],
    };
  }
}
