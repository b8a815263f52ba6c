import 'reflect-metadata';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Module, Scope, type INestApplicationContext, type ModuleMetadata } from '@nestjs/common';
import { NestFactory, REQUEST } from '@nestjs/core';
import {
  AsyncContext,
  Command,
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventsHandler,
  ofType,
  Saga,
  type ICommand,
  type ICommandHandler,
  type IEventHandler,
} from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  ANY_VERSION,
  ConcurrencyError,
  ConflictRetries,
  EventStore,
  EventStoreModule,
  EventType,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  On,
  recordedEventOf,
  type EventStoreModuleOptions,
  type RecordedEvent,
  type StreamId,
} from 'nestjs-dynamodb-event-store';
import { filter, map, type Observable } from 'rxjs';

/**
 * An application that has only the packed package. scripts/check-package.ts compiles this file, unchanged, as ESM for
 * Nest 12 and as CommonJS for Nest 11, and runs it with the storage to use: `memory` or `dynamodb`.
 */

const WELCOMED_BY_SAGA = 'saga';
const WELCOMED_BY_EVENT_HANDLER = 'event handler';

@EventType('check.AccountOpened')
class AccountOpened {
  constructor(readonly owner: string) {}
}

@EventType('check.MoneyDeposited')
class MoneyDeposited {
  constructor(readonly amount: number) {}
}

@EventType('check.MoneyWithdrawn')
class MoneyWithdrawn {
  constructor(readonly amount: number) {}
}

@Aggregate('check-account')
class Account extends AggregateRoot {
  balance = 0;

  static open(id: string, owner: string): Account {
    const account = new Account(id);
    account.apply(new AccountOpened(owner));
    return account;
  }

  deposit(amount: number): void {
    this.apply(new MoneyDeposited(amount));
  }

  withdraw(amount: number): void {
    if (amount > this.balance) throw new RangeError('Not enough money.');
    this.apply(new MoneyWithdrawn(amount));
  }

  @On(AccountOpened) protected onOpened(): void {
    this.balance = 0;
  }

  @On(MoneyDeposited) protected onDeposited({ amount }: MoneyDeposited): void {
    this.balance += amount;
  }

  @On(MoneyWithdrawn) protected onWithdrawn({ amount }: MoneyWithdrawn): void {
    this.balance -= amount;
  }
}

class OpenAccount extends Command<{ id: string }> {
  constructor(
    readonly id: string,
    readonly owner = 'Ada',
  ) {
    super();
  }
}

interface Attempt {
  readonly handler: object;
  readonly command: Deposit;
  readonly notesBefore: readonly string[];
  readonly teller: string | undefined;
}

/** All copies of a command share it, as it has a private field. */
class Attempts {
  readonly #list: Attempt[] = [];

  get list(): Attempt[] {
    return this.#list;
  }
}

class Deposit extends Command<number> {
  readonly attempts = new Attempts();
  readonly notes: string[] = [];

  /** @param rivals how many times the handler loses a race */
  constructor(
    readonly id: string,
    readonly amount: number,
    readonly rivals = 0,
  ) {
    super();
  }
}

class ScopedDeposit extends Deposit {}
class UnrepeatedDeposit extends Deposit {}

class Transfer extends Command<void> {
  constructor(
    readonly from: string,
    readonly to: string,
    readonly amount: number,
  ) {
    super();
  }
}

class TellerContext extends AsyncContext {
  constructor(readonly teller: string) {
    super();
  }
}

@CommandHandler(OpenAccount)
class OpenAccountHandler implements ICommandHandler<OpenAccount> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ id, owner }: OpenAccount): Promise<{ id: string }> {
    this.accounts.add(Account.open(id, owner));
    return { id };
  }
}

abstract class AnyDepositHandler implements ICommandHandler<Deposit> {
  protected readonly teller: string | undefined = undefined;

  constructor(
    private readonly accounts: AggregateRepository<Account>,
    private readonly store: EventStore,
  ) {}

  async execute(command: Deposit): Promise<number> {
    const { id, amount, rivals, attempts, notes } = command;
    attempts.list.push({ handler: this, command, notesBefore: [...notes], teller: this.teller });
    notes.push('executed');
    const account = await this.accounts.load(id);
    account.deposit(amount);
    if (attempts.list.length <= rivals) {
      await this.store.append(streamOf(id), [new MoneyDeposited(100)], { expectedVersion: ANY_VERSION });
    }
    return account.balance;
  }
}

@CommandHandler(Deposit)
class DepositHandler extends AnyDepositHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>, store: EventStore) {
    super(accounts, store);
  }
}

@CommandHandler(ScopedDeposit, { scope: Scope.REQUEST })
class ScopedDepositHandler extends AnyDepositHandler {
  protected override readonly teller: string | undefined;

  constructor(
    @InjectAggregateRepository(Account) accounts: AggregateRepository<Account>,
    store: EventStore,
    @Inject(REQUEST) context: Partial<TellerContext>,
  ) {
    super(accounts, store);
    this.teller = context.teller;
  }
}

@ConflictRetries(0)
@CommandHandler(UnrepeatedDeposit)
class UnrepeatedDepositHandler extends AnyDepositHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>, store: EventStore) {
    super(accounts, store);
  }
}

@CommandHandler(Transfer)
class TransferHandler implements ICommandHandler<Transfer> {
  constructor(
    @InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>,
    private readonly commands: CommandBus,
  ) {}

  async execute({ from, to, amount }: Transfer): Promise<void> {
    await this.commands.execute(new Deposit(to, amount));
    (await this.accounts.load(from)).withdraw(amount);
  }
}

@Injectable()
class WelcomeSaga {
  @Saga() welcome = (events: Observable<object>): Observable<ICommand> =>
    events.pipe(
      ofType(AccountOpened),
      filter(({ owner }) => owner === WELCOMED_BY_SAGA),
      map((event) => new Deposit(recordedEventOf(event).stream.aggregateId, 5)),
    );
}

@EventsHandler(AccountOpened)
class WelcomeHandler implements IEventHandler<AccountOpened> {
  constructor(private readonly commands: CommandBus) {}

  async handle(event: AccountOpened): Promise<void> {
    if (event.owner !== WELCOMED_BY_EVENT_HANDLER) return;
    await this.commands.execute(new Deposit(recordedEventOf(event).stream.aggregateId, 7));
  }
}

@EventsHandler(AccountOpened, MoneyDeposited)
class Journal implements IEventHandler {
  readonly entries: RecordedEvent[] = [];

  handle(event: object): void {
    this.entries.push(recordedEventOf(event));
  }
}

@Injectable()
class Bank {
  constructor(
    readonly commands: CommandBus,
    readonly store: EventStore,
    readonly journal: Journal,
    @InjectAggregateRepository(Account) readonly accounts: AggregateRepository<Account>,
  ) {}
}

@Module({
  imports: [EventStoreModule.forFeature([Account])],
  providers: [
    OpenAccountHandler,
    DepositHandler,
    ScopedDepositHandler,
    UnrepeatedDepositHandler,
    TransferHandler,
    WelcomeSaga,
    WelcomeHandler,
    Journal,
    Bank,
  ],
})
class BankModule {}

@Injectable()
class Branch {
  constructor(readonly commands: CommandBus) {}
}

/** Imported without `forRoot`, `CqrsModule` has buses of its own. */
@Module({ imports: [CqrsModule], providers: [Branch] })
class BranchModule {}

@Module({})
class AppModule {}

type Case = (commands: CommandBus, bank: Bank) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  'a command stores its events and gives back what its handler returned': async (commands, bank) => {
    const id = randomUUID();
    const opened: { id: string } = await commands.execute(new OpenAccount(id));
    const balance: number = await commands.execute(new Deposit(id, 3));
    assert.deepEqual([opened, balance], [{ id }, 3]);
    assert.deepEqual(await eventsOf(bank, id), [new AccountOpened('Ada'), new MoneyDeposited(3)]);
  },

  'an event handler learns the version of each event, and gets it once': async (commands, bank) => {
    const id = await open(commands);
    await commands.execute(new Deposit(id, 3));
    const mine = bank.journal.entries.filter(({ stream }) => stream.aggregateId === id);
    assert.deepEqual(
      mine.map(({ version, event }) => [version, event]),
      [
        [1, new AccountOpened('Ada')],
        [2, new MoneyDeposited(3)],
      ],
    );
  },

  'a request-scoped handler stores': async (commands, bank) => {
    const id = await open(commands);
    const [first, second] = [new ScopedDeposit(id, 3), new ScopedDeposit(id, 4)];
    assert.deepEqual([await commands.execute(first), await commands.execute(second)], [3, 7]);
    assert.notEqual(first.attempts.list[0]?.handler, second.attempts.list[0]?.handler);
    assert.equal(await balanceOf(bank, id), 7);
  },

  'a command of a saga is stored': async (commands, bank) => {
    const id = await open(commands, WELCOMED_BY_SAGA);
    await until(async () => (await balanceOf(bank, id)) > 0);
    assert.deepEqual(await eventsOf(bank, id), [new AccountOpened(WELCOMED_BY_SAGA), new MoneyDeposited(5)]);
  },

  'a command of an event handler is stored': async (commands, bank) => {
    const id = await open(commands, WELCOMED_BY_EVENT_HANDLER);
    await until(async () => (await balanceOf(bank, id)) > 0);
    assert.deepEqual(await eventsOf(bank, id), [new AccountOpened(WELCOMED_BY_EVENT_HANDLER), new MoneyDeposited(7)]);
  },

  'a nested command is part of the commit': async (commands, bank) => {
    const [from, to] = [await open(commands), await open(commands)];
    await commands.execute(new Deposit(from, 10));
    await commands.execute(new Transfer(from, to, 4));
    const [withdrawn, deposited] = [(await recordedOf(bank, from)).at(-1), (await recordedOf(bank, to)).at(-1)];
    assert.deepEqual([withdrawn?.event, deposited?.event], [new MoneyWithdrawn(4), new MoneyDeposited(4)]);
    assert.equal(withdrawn?.commitId, deposited?.commitId);
  },

  'nothing is stored when a handler throws': async (commands, bank) => {
    const [from, to] = [await open(commands), await open(commands)];
    await assert.rejects(commands.execute(new Transfer(from, to, 4)), new RangeError('Not enough money.'));
    assert.deepEqual([await eventsOf(bank, from), await eventsOf(bank, to)].flat(), [
      new AccountOpened('Ada'),
      new AccountOpened('Ada'),
    ]);
  },

  'a lost race runs a fresh copy of the command': async (commands, bank) => {
    const id = await open(commands);
    const command = new Deposit(id, 3, 1);
    assert.equal(await commands.execute(command), 103);
    const [lost, won] = assertTwoAttempts(command);
    assert.equal(lost.handler, won.handler);
    assert.equal(await balanceOf(bank, id), 103);
  },

  'a lost race makes a request-scoped handler anew, in the same context': async (commands, bank) => {
    const id = await open(commands);
    const command = new ScopedDeposit(id, 3, 1);
    assert.equal(await commands.execute(command, new TellerContext('Grace')), 103);
    const [lost, won] = assertTwoAttempts(command);
    assert.notEqual(lost.handler, won.handler);
    assert.deepEqual([lost.teller, won.teller], ['Grace', 'Grace']);
    assert.equal(await balanceOf(bank, id), 103);
  },

  'a lost race is final with @ConflictRetries(0)': async (commands, bank) => {
    const id = await open(commands);
    const command = new UnrepeatedDeposit(id, 3, 1);
    await assert.rejects(commands.execute(command), ConcurrencyError);
    assert.equal(command.attempts.list.length, 1);
    assert.equal(await balanceOf(bank, id), 100);
  },
};

function assertTwoAttempts({ attempts }: Deposit): [Attempt, Attempt] {
  const [lost, won, ...more] = attempts.list;
  assert(lost && won);
  assert.equal(more.length, 0);
  assert.notEqual(lost.command, won.command);
  assert.deepEqual([lost.notesBefore, won.notesBefore], [[], []]);
  return [lost, won];
}

function streamOf(aggregateId: string): StreamId {
  return { aggregateType: 'check-account', aggregateId };
}

async function open(commands: CommandBus, owner?: string): Promise<string> {
  return (await commands.execute(new OpenAccount(randomUUID(), owner))).id;
}

async function recordedOf({ store }: Bank, id: string): Promise<RecordedEvent[]> {
  const recorded: RecordedEvent[] = [];
  for await (const event of store.read(streamOf(id))) recorded.push(event);
  return recorded;
}

async function eventsOf(bank: Bank, id: string): Promise<object[]> {
  return (await recordedOf(bank, id)).map(({ event }) => event);
}

async function balanceOf({ accounts }: Bank, id: string): Promise<number> {
  return (await accounts.load(id)).balance;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    assert(Date.now() < deadline, 'It did not come true in 10 s.');
    await sleep(5);
  }
}

async function runCases(commands: CommandBus, bank: Bank, bus: string): Promise<number> {
  for (const [name, run] of Object.entries(CASES)) {
    try {
      await run(commands, bank);
    } catch (error) {
      throw new Error(`${name} (${bus})`, { cause: error });
    }
  }
  return Object.keys(CASES).length;
}

async function withApplication(
  options: EventStoreModuleOptions,
  modules: NonNullable<ModuleMetadata['imports']>,
  use: (app: INestApplicationContext) => Promise<number>,
): Promise<number> {
  const imports = [CqrsModule.forRoot(), EventStoreModule.forRoot(options), BankModule, ...modules];
  const app = await NestFactory.createApplicationContext(
    { module: AppModule, imports },
    { logger: ['fatal', 'error'], abortOnError: false },
  );
  try {
    const repository: unknown = app.get(getAggregateRepositoryToken(Account));
    assert.equal(repository, app.get(Bank).accounts);
    return await use(app);
  } finally {
    await app.close();
  }
}

function storeOptions(): EventStoreModuleOptions {
  const [, , storage] = process.argv;
  if (storage === 'memory') return { storage };
  assert.equal(storage, 'dynamodb');
  return {
    tables: { events: `events-${randomUUID()}`, bookkeeping: `bookkeeping-${randomUUID()}` },
    provision: true,
    clientConfig: {
      endpoint: process.env.DYNAMODB_ENDPOINT!,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    },
  };
}

async function main(): Promise<void> {
  const options = storeOptions();
  let passed = await withApplication(options, [], (app) => {
    const bank = app.get(Bank);
    return runCases(bank.commands, bank, 'the only bus');
  });
  passed += await withApplication(options, [BranchModule], async (app) => {
    const [bank, branch] = [app.get(Bank), app.get(Branch)];
    assert.notEqual(bank.commands, branch.commands);
    return (
      (await runCases(bank.commands, bank, 'the bus of CqrsModule.forRoot')) +
      (await runCases(branch.commands, bank, 'the bus of another CqrsModule'))
    );
  });
  console.log(`${passed} cases passed`);
}

void main();
