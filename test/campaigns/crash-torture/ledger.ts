import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  ConflictRetries,
  EventStoreModule,
  EventType,
  InjectAggregateRepository,
  On,
  type Class,
  type EventStoreModuleOptions,
} from '../../../src/index.js';

/** The key of a command stands in each of its events, so that they can be found again. */
@EventType('crash-torture.LedgerOpened')
export class LedgerOpened {
  constructor(readonly key: string) {}
}

@EventType('crash-torture.AmountBooked')
export class AmountBooked {
  constructor(
    readonly key: string,
    readonly amount: number,
  ) {}
}

/** Ends a stream: a request that is still on its way finds its place taken. */
@EventType('crash-torture.LedgerSealed')
export class LedgerSealed {}

export abstract class Ledger extends AggregateRoot {
  balance = 0;
  bookings = 0;
  digest = 0;

  open(key: string): void {
    this.apply(new LedgerOpened(key));
  }

  book(key: string, amount: number): void {
    this.apply(new AmountBooked(key, amount));
  }

  @On(LedgerOpened) protected onOpened({ key }: LedgerOpened): void {
    this.digest = digestOf(this.digest, key);
  }

  @On(AmountBooked) protected onBooked({ key, amount }: AmountBooked): void {
    this.balance += amount;
    this.bookings++;
    this.digest = digestOf(this.digest, key, amount);
  }
}

/** Depends on every key and amount so far, and on their order; an event without a key adds nothing. */
export function digestOf(before: number, key?: string, amount?: number): number {
  if (key === undefined) return before;
  let digest = before;
  for (const character of `${key} ${amount}`) digest = (Math.imul(digest, 31) + character.charCodeAt(0)) | 0;
  return digest;
}

@Aggregate('plain', { ignores: [LedgerSealed] })
export class PlainLedger extends Ledger {}

@Aggregate('snapshots', { snapshotEvery: 3, ignores: [LedgerSealed] })
export class SnapshotLedger extends Ledger {}

@Aggregate('inline', { snapshot: 'inline', ignores: [LedgerSealed] })
export class InlineLedger extends Ledger {}

export const LEDGERS = { plain: PlainLedger, snapshots: SnapshotLedger, inline: InlineLedger } as const;

export type LedgerKind = keyof typeof LEDGERS;

export interface LedgerId {
  readonly kind: LedgerKind;
  readonly id: string;
}

export class OpenLedger {
  constructor(
    readonly key: string,
    readonly ledger: LedgerId,
  ) {}
}

/** Amounts for one or several ledgers, booked together. */
export class Book {
  constructor(
    readonly key: string,
    readonly entries: readonly { readonly ledger: LedgerId; readonly amounts: readonly number[] }[],
  ) {}
}

@Injectable()
export class Ledgers {
  private readonly repositories: Readonly<Record<LedgerKind, AggregateRepository<Ledger>>>;

  constructor(
    @InjectAggregateRepository(PlainLedger) plain: AggregateRepository<PlainLedger>,
    @InjectAggregateRepository(SnapshotLedger) snapshots: AggregateRepository<SnapshotLedger>,
    @InjectAggregateRepository(InlineLedger) inline: AggregateRepository<InlineLedger>,
  ) {
    this.repositories = { plain, snapshots, inline };
  }

  of({ kind }: LedgerId): AggregateRepository<Ledger> {
    return this.repositories[kind];
  }
}

@ConflictRetries(0)
@CommandHandler(OpenLedger)
class OpenLedgerHandler implements ICommandHandler<OpenLedger> {
  constructor(private readonly ledgers: Ledgers) {}

  async execute({ key, ledger }: OpenLedger): Promise<void> {
    const opened = new LEDGERS[ledger.kind](ledger.id);
    opened.open(key);
    this.ledgers.of(ledger).add(opened);
  }
}

@CommandHandler(Book)
class BookHandler implements ICommandHandler<Book> {
  constructor(private readonly ledgers: Ledgers) {}

  async execute({ key, entries }: Book): Promise<void> {
    const loaded = await Promise.all(entries.map(({ ledger }) => this.ledgers.of(ledger).load(ledger.id)));
    entries.forEach(({ amounts }, index) => {
      for (const amount of amounts) loaded[index]!.book(key, amount);
    });
  }
}

@Module({})
export class LedgerModule {
  static on(options: EventStoreModuleOptions): DynamicModule {
    const features: Class[] = [...Object.values(LEDGERS), LedgerSealed];
    return {
      module: LedgerModule,
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(options), EventStoreModule.forFeature(features)],
      providers: [Ledgers, OpenLedgerHandler, BookHandler],
    };
  }
}
