import { afterEach, describe, expect, it } from '@jest/globals';
import { CommandBus, CommandHandler, EventsHandler, ofType, Saga, type ICommand } from '@nestjs/cqrs';
import { concatMap, delay, map, type Observable } from 'rxjs';
import {
  AggregateRepository,
  causedBy,
  CommandContext,
  EventStore,
  InjectAggregateRepository,
  MissingTenantError,
  OwnUnitOfWork,
  recordedEventOf,
  type CommandContextValues,
  type RecordedEvent,
  type StreamId,
} from '../../src/index.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';
import { collect } from '../setup/collect.js';
import { until } from '../setup/until.js';

class Open {
  constructor(readonly id: string) {}
}
class Deposit {
  constructor(readonly id: string) {}
}
class DepositApart extends Deposit {}
class OpenAndDeposit {
  constructor(
    readonly id: string,
    readonly otherId?: string,
  ) {}
}
class Withdraw {
  constructor(readonly id: string) {}
}
class OpenAndDepositAs {
  constructor(
    readonly id: string,
    readonly inner: CommandContextValues,
    readonly innerId: string = id,
  ) {}
}

const seenByHandlers: CommandContextValues[] = [];
const seenByCommands: CommandContextValues[] = [];

@CommandHandler(Open)
class OpenHandler {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ id }: Open): Promise<void> {
    this.accounts.add(Account.open(id, 'Ada'));
  }
}

@CommandHandler(Deposit)
class DepositHandler {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ id }: Deposit): Promise<void> {
    seenByCommands.push(CommandContext.current());
    (await this.accounts.load(id)).deposit(5);
  }
}

@OwnUnitOfWork()
@CommandHandler(DepositApart)
class DepositApartHandler extends DepositHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }
}

@CommandHandler(OpenAndDeposit)
class OpenAndDepositHandler {
  constructor(
    @InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>,
    private readonly commands: CommandBus,
  ) {}

  async execute({ id, otherId }: OpenAndDeposit): Promise<void> {
    this.accounts.add(Account.open(id, 'Ada'));
    await this.commands.execute(new Deposit(id));
    if (otherId) await this.commands.execute(new DepositApart(otherId));
  }
}

@CommandHandler(OpenAndDepositAs)
class OpenAndDepositAsHandler {
  constructor(
    @InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>,
    private readonly commands: CommandBus,
  ) {}

  async execute({ id, inner, innerId }: OpenAndDepositAs): Promise<void> {
    this.accounts.add(Account.open(id, 'Ada'));
    await CommandContext.run(inner, () => this.commands.execute(new Deposit(innerId)));
  }
}

@CommandHandler(Withdraw)
class WithdrawHandler {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ id }: Withdraw): Promise<void> {
    (await this.accounts.load(id)).withdraw(1);
  }
}

@EventsHandler(AccountOpened, MoneyDeposited)
class ContextListener {
  handle(event: object): void {
    seenByHandlers.push({ ...CommandContext.current(), seen: recordedEventOf(event).eventId });
  }
}

class Interest {
  // A saga that answers at once, and one that takes its time: the context is that of the event either way.
  @Saga() withdrawing(events$: Observable<object>): Observable<ICommand> {
    return events$.pipe(
      ofType(MoneyDeposited),
      map((event) => new Withdraw(recordedEventOf(event).stream.aggregateId)),
    );
  }

  @Saga() later(events$: Observable<object>): Observable<ICommand> {
    return events$.pipe(
      ofType(MoneyDeposited),
      delay(1),
      map((event) => new Withdraw(recordedEventOf(event).stream.aggregateId)),
    );
  }
}

class Queued {
  // Behind concatMap, RxJS goes on in the context of the event before.
  @Saga() withdrawing(events$: Observable<object>): Observable<ICommand> {
    return events$.pipe(
      ofType(MoneyDeposited),
      concatMap(async (event) => {
        await new Promise(setImmediate);
        return causedBy(event, new Withdraw(recordedEventOf(event).stream.aggregateId));
      }),
    );
  }
}

const HANDLERS = [
  OpenHandler,
  DepositHandler,
  DepositApartHandler,
  OpenAndDepositHandler,
  OpenAndDepositAsHandler,
  WithdrawHandler,
];

describe.each<Storage>(['memory', 'dynamodb'])('the context of a command (%s)', (storage) => {
  let application: Application;

  afterEach(async () => {
    await application.close();
    seenByHandlers.splice(0);
    seenByCommands.splice(0);
  });

  const start = async (...providers: (new (...args: never[]) => object)[]) => {
    application = await startApplication(storage, { features: [Account], providers: [...HANDLERS, ...providers] });
  };
  const eventsOf = (aggregateId: string, tenantId?: string): Promise<RecordedEvent[]> => {
    const stream = { aggregateType: 'test-account', aggregateId, ...(tenantId !== undefined && { tenantId }) };
    return collect(application.module.get(EventStore, { strict: false }).read(stream));
  };

  it('goes to each event of nested commands, which are caused by the command that sent them', async () => {
    await start();
    const edge = { userId: 'ada', correlationId: 'c-1', idempotencyKey: 'k-1', traceparent: 't-1', channel: 'web' };
    await application.commands.execute(new Open('other'));
    await CommandContext.run({ ...edge, causationId: 'm-1' }, () =>
      application.commands.execute(new OpenAndDeposit('a', 'other')),
    );
    const [opened, deposited] = (await eventsOf('a')).map(({ metadata }) => metadata);
    expect(opened).toEqual({ ...edge, causationId: 'm-1', commandId: expect.any(String) });
    expect(deposited).toEqual({ ...edge, causationId: opened!.commandId, commandId: expect.any(String) });
    expect(deposited!.commandId).not.toBe(opened!.commandId);
    const apart = (await eventsOf('other'))[1]!.metadata;
    expect(apart).toEqual({ ...edge, causationId: opened!.commandId, commandId: expect.any(String) });
    expect(seenByCommands).toEqual([deposited, apart]);
  });

  it('takes nothing of the outer command into the events of a nested one that runs without it', async () => {
    await start();
    const inner = { userId: undefined, channel: 'batch' } as unknown as CommandContextValues;
    await CommandContext.run({ userId: 'ada', channel: 'web' }, () =>
      application.commands.execute(new OpenAndDepositAs('a', inner)),
    );
    const [opened, deposited] = (await eventsOf('a')).map(({ metadata }) => metadata);
    expect(opened).toMatchObject({ userId: 'ada', channel: 'web' });
    expect(deposited).toMatchObject({ channel: 'batch', causationId: opened!.commandId });
    expect(deposited).not.toHaveProperty('userId');
  });

  it('leaves what a nested command changes without a tenant outside of that of the outer one', async () => {
    await start();
    await application.commands.execute(new Open('global'));
    await CommandContext.run({ tenantId: 't' }, () =>
      application.commands.execute(new OpenAndDepositAs('a', { tenantId: undefined }, 'global')),
    );
    expect((await eventsOf('global')).map(({ version }) => version)).toEqual([1, 2]);
    expect(await eventsOf('global', 't')).toEqual([]);
    expect(await eventsOf('a', 't')).toHaveLength(1);
  });

  it('is that of the event where a handler or a saga reacts to one', async () => {
    await start(ContextListener, Interest);
    const edge = { userId: 'ada', traceparent: 't-1', channel: 'web' };
    await CommandContext.run({ ...edge, tenantId: 't', idempotencyKey: 'k-1' }, () =>
      application.commands.execute(new OpenAndDeposit('a')),
    );
    await until(async () => (await eventsOf('a', 't')).length === 4);
    const [opened, deposited, ...withdrawn] = await eventsOf('a', 't');
    const { correlationId } = opened!.metadata;
    expect(correlationId).toBe(opened!.metadata.commandId);
    for (const { event, metadata } of withdrawn) {
      expect(event).toBeInstanceOf(MoneyWithdrawn);
      expect(metadata).toMatchObject({ ...edge, correlationId, causationId: deposited!.eventId });
      expect(metadata.commandId).not.toBe(deposited!.metadata.commandId);
    }
    expect(seenByHandlers).toEqual(
      [opened!, deposited!].map(({ eventId, metadata }) => {
        const { commandId: _, ...kept } = metadata;
        return { ...kept, tenantId: 't', causationId: eventId, seen: eventId };
      }),
    );
  });

  it('is that of the event where a saga says which one caused its command, whatever came before', async () => {
    await start(Queued);
    const tenants = ['t', 'u', 'v'];
    await Promise.all(
      tenants.map((tenantId) =>
        CommandContext.run({ tenantId, userId: `of-${tenantId}` }, () =>
          application.commands.execute(new OpenAndDeposit(`a-${tenantId}`)),
        ),
      ),
    );
    for (const tenant of tenants) {
      await until(async () => (await eventsOf(`a-${tenant}`, tenant)).length === 3);
      const [, deposited, withdrawn] = await eventsOf(`a-${tenant}`, tenant);
      expect(withdrawn!.metadata).toMatchObject({ userId: `of-${tenant}`, causationId: deposited!.eventId });
    }
  });

  it('does not reach from one command into another that runs beside it', async () => {
    await start();
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    await Promise.all(
      users.map((userId) =>
        CommandContext.run({ userId }, () => application.commands.execute(new OpenAndDeposit(userId))),
      ),
    );
    for (const userId of users) {
      expect((await eventsOf(userId)).map(({ metadata }) => metadata.userId)).toEqual([userId, userId]);
    }
  });

  it('goes into the metadata of what is saved outside of a command', async () => {
    await start();
    const account = Account.open('saved', 'Ada');
    const accounts = application.module.get<OpenHandler>(OpenHandler, { strict: false })['accounts'];
    await CommandContext.run({ userId: 'ada' }, () => accounts.save(account));
    expect((await eventsOf('saved'))[0]!.metadata).toEqual({ userId: 'ada' });
  });
});

describe.each<Storage>(['memory', 'dynamodb'])('requireTenant (%s)', (storage) => {
  let application: Application;

  afterEach(() => application.close());

  it('refuses every operation without a tenant, and takes that of the context or of the stream', async () => {
    application = await startApplication(storage, {
      features: [Account],
      providers: HANDLERS,
      options: { requireTenant: true },
    });
    const store = application.module.get(EventStore, { strict: false });
    const accounts = application.module.get<OpenHandler>(OpenHandler, { strict: false })['accounts'];
    const stream = { aggregateType: 'test-account', aggregateId: 'a' };
    const state = { version: 1, eventTime: 1, snapshotVersion: 1, state: '{}' };
    const append = (of: StreamId = stream) => store.append(of, [new AccountOpened('Ada')], { expectedVersion: 0 });
    application.requests.splice(0);

    const attempts = [
      () => append(),
      () => store.commit({ appends: [], idempotency: { command: 'c', key: 'k', fingerprint: '', expiresAt: 1 } }),
      () => store.outcomeOf({ commitId: 'c', appends: [{ stream, expectedVersion: 0 }] }),
      async () => collect(store.read(stream)),
      () => store.readSinceSnapshot(stream, 1),
      () => store.saveSnapshot(stream, state),
      () => store.findIdempotencyRecord({ command: 'c', key: 'k' }),
      () => accounts.load('a'),
      () => accounts.find('a'),
      () => accounts.exists('a'),
      () => accounts.loadAt('a', { version: 1 }),
      async () => collect(accounts.history('a')),
      () => accounts.save(Account.open('a', 'Ada')),
      () => application.commands.execute(new Open('a')),
      () => application.commands.execute(new Deposit('a')),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toThrow(MissingTenantError);
    expect(application.requests).toEqual([]);

    await CommandContext.run({ tenantId: 't' }, () => append());
    await append({ ...stream, tenantId: 'u' });
    await CommandContext.run({ tenantId: 't' }, () => application.commands.execute(new Deposit('a')));
    expect(await collect(store.read({ ...stream, tenantId: 't' }))).toHaveLength(2);
    expect(await collect(store.read({ ...stream, tenantId: 'u' }))).toHaveLength(1);
    // The context counts where the read is asked for, not where its events are taken.
    const events = CommandContext.run({ tenantId: 'u' }, () => store.read(stream));
    expect((await collect(events))[0]!.stream.tenantId).toBe('u');
  });
});
