import { Controller, Get, Injectable, Module, Query } from '@nestjs/common';
import { CommandBus, CqrsModule } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { AddressInfo } from 'node:net';
import {
  Aggregate,
  AggregateNotFoundError,
  AggregateRepository,
  AggregateRoot,
  CommandContext,
  CommitOutcomeUnknownError,
  CommitTooLargeError,
  ConcurrencyError,
  DynamoDbEventStore,
  EventStore,
  EventStoreExceptionFilter,
  EventStoreModule,
  EventType,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  InMemoryEventStore,
  On,
  UnknownEventTypeError,
  type Class,
  type EventStoreModuleOptions,
} from '../../src/index.js';
import { clientConfig, newTableNames } from '../setup/database.js';
import { Account } from '../setup/bank.js';
import { invalidWritesError, refusedByConditionError } from '../../src/store/table-write.js';
import { startApplication } from '../setup/application.js';

@EventType('module.Happened')
class Happened {}
class Undecorated {}

class NoDecorator extends AggregateRoot {}

@Aggregate('no-root')
class NoRoot {}

@Aggregate('twin')
class FirstTwin extends AggregateRoot {}
@Aggregate('twin')
class SecondTwin extends AggregateRoot {}

@Aggregate('on-undecorated')
class OnUndecorated extends AggregateRoot {
  @On(Undecorated) protected onUndecorated(): void {}
}

@Aggregate('two-appliers')
class TwoAppliers extends AggregateRoot {
  @On(Happened) protected first(): void {}
  @On(Happened) protected second(): void {}
}

@Aggregate('private-state', { snapshotEvery: 10 })
class PrivateState extends AggregateRoot {
  #count = 0;
  @On(Happened) protected onHappened(): void {
    this.#count += this.#count;
  }
}

@Aggregate('half-snapshot', { snapshotEvery: 10 })
class HalfSnapshot extends AggregateRoot {
  toSnapshot(): object {
    return {};
  }
}

@EventType('module.Happened')
class HappenedAgain {}
@Aggregate('other-happened')
class OtherHappened extends AggregateRoot {
  @On(HappenedAgain) protected onHappened(): void {}
}
@Aggregate('happened')
class HappenedAggregate extends AggregateRoot {
  @On(Happened) protected onHappened(): void {}
}

const boot = async (options: EventStoreModuleOptions, ...features: Class[]) => {
  const imports = [CqrsModule.forRoot(), EventStoreModule.forRoot(options), EventStoreModule.forFeature(features)];
  const module = await Test.createTestingModule({ imports }).compile();
  return module.init();
};

describe('EventStoreModule', () => {
  it.each<[string, Class[], RegExp]>([
    ['an aggregate without @Aggregate', [NoDecorator], /NoDecorator.*@Aggregate/],
    ['an aggregate that does not extend AggregateRoot', [NoRoot], /NoRoot must extend AggregateRoot/],
    ['a circular import', [undefined as never], /circular import/],
    ['two aggregates of one name', [FirstTwin, SecondTwin], /FirstTwin and SecondTwin/],
    ['@On of a class without @EventType', [OnUndecorated], /OnUndecorated.*Undecorated.*@EventType/],
    ['two appliers of one event', [TwoAppliers], /first and second/],
    ['snapshots of state that they cannot see', [PrivateState], /PrivateState.*#private.*toSnapshot/],
    ['one half of the snapshot methods', [HalfSnapshot], /HalfSnapshot.*both/],
    ['two event classes of one name', [HappenedAggregate, OtherHappened], /Happened and HappenedAgain/],
  ])('refuses %s at start-up, with the class and the fix', async (_, features, message) => {
    await expect(boot({ storage: 'memory' }, ...features)).rejects.toThrow(message);
  });

  it.each<[string, EventStoreModuleOptions, RegExp]>([
    ['no tables', {}, /tables: \{ events/],
    ['another storage', { storage: 'disk' as 'memory' }, /storage/],
    ['client and clientConfig', { tables: newTableNames(), client: {} as never, clientConfig: {} }, /not both/],
    ['half a retry', { storage: 'memory', conflictRetries: 0.5 }, /conflictRetries/],
    ['no end of time', { storage: 'memory', deadlineMs: 1e10 }, /deadlineMs/],
    ['one table for both', { tables: { events: 'same', bookkeeping: 'same' } }, /two tables/],
    [
      'reading again before reading',
      { storage: 'memory', subscriptions: { marginMs: 50, backtrackMs: 50 } },
      /backtrackMs must be above marginMs \(50\)/,
    ],
    ['no time at all', { storage: 'memory', deadlineMs: 0 }, /deadlineMs/],
  ])('refuses %s', async (_, options, message) => {
    await expect(boot(options)).rejects.toThrow(message);
  });

  it('takes the same aggregate in two modules, and events of their own', async () => {
    @Module({ imports: [EventStoreModule.forFeature([Account, Happened])] })
    class First {}
    @Module({ imports: [EventStoreModule.forFeature([Account])] })
    class Second {}
    const imports = [First, Second, CqrsModule.forRoot(), EventStoreModule.forRoot({ storage: 'memory' })];
    const module = await (await Test.createTestingModule({ imports }).compile()).init();
    const store = module.get(EventStore);
    expect(store).toBeInstanceOf(InMemoryEventStore);
    await store.append({ aggregateType: 'any', aggregateId: 'a' }, [new Happened()], { expectedVersion: 0 });
    await module.close();
  });

  it('is configured asynchronously, with dependencies', async () => {
    @Injectable()
    class Settings {
      create(): EventStoreModuleOptions {
        return { clientConfig: clientConfig(), tables: newTableNames(), provision: true };
      }
    }
    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}
    for (const options of [
      { imports: [SettingsModule], inject: [Settings], useFactory: (settings: Settings) => settings.create() },
      { imports: [SettingsModule], useExisting: Settings },
      { useClass: Settings },
    ]) {
      const imports = [
        CqrsModule.forRoot(),
        EventStoreModule.forRootAsync(options),
        EventStoreModule.forFeature([Account]),
      ];
      const module = await (await Test.createTestingModule({ imports }).compile()).init();
      expect(module.get(EventStore)).toBeInstanceOf(DynamoDbEventStore);
      const accounts = module.get<AggregateRepository<Account>>(getAggregateRepositoryToken(Account), {
        strict: false,
      });
      await accounts.save(Account.open('a', 'Ada'));
      expect((await accounts.load('a')).owner).toBe('Ada');
      await module.close();
    }
  });

  it('keeps applications in one process apart', async () => {
    const [first, second] = [
      await boot({ storage: 'memory' }, HappenedAggregate),
      await boot({ storage: 'memory' }, OtherHappened),
    ];
    const stream = { aggregateType: 'any', aggregateId: 'a' };
    await first.get(EventStore).append(stream, [new Happened()], { expectedVersion: 0 });
    await second.get(EventStore).append(stream, [new HappenedAgain()], { expectedVersion: 0 });
    await Promise.all([first.close(), second.close()]);
  });
});

describe.each(['memory', 'dynamodb'] as const)('AggregateRepository (%s)', (storage) => {
  it('shows the past, read only, by version and by time', async () => {
    const application = await startApplication(storage, { features: [Account] });
    const accounts = application.module.get<AggregateRepository<Account>>(getAggregateRepositoryToken(Account), {
      strict: false,
    });
    const account = Account.open('a', 'Ada');
    for (const amount of [1, 10, 100]) {
      account.deposit(amount);
      await accounts.save(account);
    }
    const times: Date[] = [];
    for await (const { eventTime } of accounts.history('a')) times.push(eventTime);
    expect(times).toHaveLength(4);

    expect(await accounts.loadAt('a', { version: 2 })).toMatchObject({ balance: 1, version: 2 });
    expect(await accounts.loadAt('a', { time: times[2]! })).toMatchObject({ balance: 11, version: 3 });
    expect(await accounts.loadAt('a', { time: new Date(times[2]!.getTime() - 1) })).toMatchObject({ balance: 1 });
    expect(await accounts.loadAt('a', { time: new Date(Date.now() + 1e6) })).toMatchObject({ balance: 111 });
    const past = await accounts.loadAt('a', { version: 1 });
    expect(() => past.deposit(1)).toThrow(/read only/);
    await expect(accounts.loadAt('a', { time: new Date(0) })).rejects.toThrow(AggregateNotFoundError);
    for (const time of [new Date('no'), 'no' as unknown as Date]) {
      await expect(accounts.loadAt('a', { time })).rejects.toThrow(RangeError);
    }
    await expect(accounts.loadAt('none', { version: 3 })).rejects.toThrow(AggregateNotFoundError);
    // Like load, it has one deadline for all of its pages.
    const reads = jest.spyOn(application.module.get(EventStore, { strict: false }), 'readVersions');
    await accounts.loadAt('a', { version: 2 });
    expect(reads.mock.lastCall![1]).toEqual({ toVersion: 2, deadlineFor: 'read' });
    await expect(accounts.load('none')).rejects.toThrow('There is no test-account "none".');
    expect([await accounts.find('none'), await accounts.exists('none'), await accounts.exists('a')]).toEqual([
      null,
      false,
      true,
    ]);
    await application.close();
  });
});

it.each(['memory', 'dynamodb'] as const)('an event without an applier stops the load (%s)', async (storage) => {
  const application = await startApplication(storage, { features: [Account, Happened] });
  const store = application.module.get(EventStore);
  await store.append({ aggregateType: 'test-account', aggregateId: 'a' }, [new Happened()], { expectedVersion: 0 });
  const accounts = application.module.get<AggregateRepository<Account>>(getAggregateRepositoryToken(Account), {
    strict: false,
  });
  await expect(accounts.load('a')).rejects.toMatchObject({ code: 'MISSING_APPLIER' });
  await application.close();
});

describe('EventStoreExceptionFilter', () => {
  const stream = { aggregateType: 'account', aggregateId: 'a' };
  const errors: Record<string, Error> = {
    missing: new AggregateNotFoundError(stream),
    conflict: new ConcurrencyError(stream, 1, 2),
    large: new CommitTooLargeError('The commit', 101, 100, 'events'),
    unknown: new CommitOutcomeUnknownError('c-1', [{ stream, expectedVersion: 0 }], 'ECONNRESET'),
    internal: new UnknownEventTypeError('secret.Type', 'no class'),
    condition: refusedByConditionError('limits', { Delete: { TableName: 'secret.Table', Key: {} } }),
    write: invalidWritesError([{ Delete: { TableName: 'secret.Table', Key: {} } }]),
  };
  let application: INestApplication;
  let url: string;

  beforeAll(async () => {
    @Controller()
    class Throwing {
      constructor(
        @InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>,
        private readonly commands: CommandBus,
      ) {}

      @Get() async fail(@Query('what') what: string): Promise<unknown> {
        if (errors[what]) throw errors[what];
        if (what === 'empty-value') {
          const account = Account.open('a', 'Ada');
          account.reserve('alias', '');
          await this.accounts.save(account);
        }
        // The key is looked at before the handler.
        if (what === 'empty-key') await CommandContext.run({ idempotencyKey: '' }, () => this.commands.execute({}));
        return this.accounts.load(what);
      }
    }
    const module = await Test.createTestingModule({
      imports: [
        CqrsModule.forRoot(),
        EventStoreModule.forRoot({ storage: 'memory' }),
        EventStoreModule.forFeature([Account]),
      ],
      controllers: [Throwing],
    }).compile();
    application = module.createNestApplication({ logger: false });
    application.useGlobalFilters(new EventStoreExceptionFilter());
    await application.listen(0, '127.0.0.1');
    url = `http://127.0.0.1:${(application.getHttpServer().address() as AddressInfo).port}`;
  });

  afterAll(() => application.close());

  it.each([
    ['missing', 404, 'AGGREGATE_NOT_FOUND'],
    ['conflict', 409, 'CONCURRENCY'],
    ['condition', 409, 'TABLE_WRITE_REFUSED'],
    ['large', 413, 'COMMIT_TOO_LARGE'],
    ['unknown', 503, 'COMMIT_OUTCOME_UNKNOWN'],
    ['a-account', 404, 'AGGREGATE_NOT_FOUND'],
    ['%FF%FE'.repeat(700), 422, 'INVALID_STREAM_ID'],
    ['empty-value', 422, 'INVALID_EVENT'],
    ['empty-key', 422, 'INVALID_EVENT'],
  ])('answers %s with %d', async (what, status, error) => {
    const response = await fetch(`${url}/?what=${what}`);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ statusCode: status, error });
  });

  it.each([
    ['internal', 500],
    ['write', 500],
    ['condition', 409],
  ])('keeps the details of %s to itself', async (what, status) => {
    const response = await fetch(`${url}/?what=${what}`);
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain('secret.');
  });
});
