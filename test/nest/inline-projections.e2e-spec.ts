import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { Inject, Injectable, type Provider } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type AggregateRepository,
  ANY_VERSION,
  CommandContext,
  CommitOutcomeUnknownError,
  CommitTooLargeError,
  DynamoDbEventStore,
  EventRegistry,
  EventStore,
  EventStoreUnavailableError,
  InjectAggregateRepository,
  On,
  OperationAbortedError,
  Projection,
  type ProjectionContext,
  ProjectionError,
  type TableNames,
  TableWriteRefusedError,
} from '../../src/index.js';
import { createEventStoreTestingModule, givenProjection, recorded } from '../../src/testing/index.js';
import { startApplication, type Application } from '../setup/application.js';
import { Account, AccountOpened, MoneyDeposited } from '../setup/bank.js';
import { collect } from '../setup/collect.js';
import { breakGlassClient, newTableNames, recordRequests } from '../setup/database.js';

const BALANCES = Symbol('Table of balances');

class Deposit {
  constructor(
    readonly ids: readonly string[],
    readonly amounts: readonly number[],
  ) {}
}

@CommandHandler(Deposit)
class DepositHandler implements ICommandHandler<Deposit> {
  runs = 0;
  beforeEnd: () => Promise<void> = async () => {};

  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ ids, amounts }: Deposit): Promise<void> {
    this.runs++;
    for (const id of ids) {
      const account = (await this.accounts.find(id)) ?? Account.open(id, 'Ada');
      if (account.version === 0) this.accounts.add(account);
      for (const amount of amounts) account.deposit(amount);
    }
    await this.beforeEnd();
  }
}

/** Keeps the sum of what was deposited; a balance of 1,000 is never passed. */
@Injectable()
@Projection('inline-balances', { inline: true })
class Balances {
  readonly contexts: unknown[] = [];
  before: (context: ProjectionContext) => Promise<void> = async () => {};

  constructor(@Inject(BALANCES) private readonly tableName: string) {}

  @On(AccountOpened) async opened(_: AccountOpened, context: ProjectionContext): Promise<void> {
    this.contexts.push(CommandContext.current());
    await this.write(context);
  }

  @On(MoneyDeposited) async deposited(_: MoneyDeposited, context: ProjectionContext): Promise<void> {
    await this.write(context);
  }

  private async write(context: ProjectionContext): Promise<void> {
    const { recorded: event, together, transaction } = context;
    await this.before(context);
    if (event !== together.at(-1)) return;
    const deposits = together.map((each) => each.event).filter((each) => each instanceof MoneyDeposited);
    const amount = deposits.reduce((sum, deposit) => sum + deposit.amount, 0);
    transaction.update({
      TableName: this.tableName,
      Key: { id: event.stream.aggregateId },
      UpdateExpression: 'ADD balance :amount SET lastVersion = :version, eventId = :eventId',
      ConditionExpression: 'attribute_not_exists(id) OR balance <= :most',
      ExpressionAttributeValues: {
        ':amount': amount,
        ':most': 1000 - amount,
        ':version': event.version,
        ':eventId': event.eventId,
      },
    });
  }
}

const kindsItem = { pk: 'view', sk: 1, is: true, map: { list: [null] } };

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Started extends Application {
  readonly tables: TableNames;
  readonly client: DynamoDBClient;
  readonly handler: DepositHandler;
  readonly balances: Balances;
  viewOf(id: string): Promise<Record<string, unknown> | undefined>;
  versionOf(id: string): Promise<number>;
}

async function start(providers: Provider[] = [Balances], options: object = {}): Promise<Started> {
  const client = breakGlassClient();
  const tables = newTableNames();
  // Named like an events table of its own, so that it is deleted with them.
  const { events: tableName } = newTableNames();
  await client.send(
    new CreateTableCommand({
      TableName: tableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
  const application = await startApplication('dynamodb', {
    features: [Account],
    providers: [DepositHandler, { provide: BALANCES, useValue: tableName }, ...providers],
    options: { client, tables, ...options },
  });
  closing.push(async () => {
    await application.close();
    client.destroy();
  });
  const documents = DynamoDBDocumentClient.from(client);
  const store = application.module.get(EventStore);
  return {
    ...application,
    tables,
    client,
    handler: application.module.get(DepositHandler, { strict: false }),
    balances: application.module.get(Balances, { strict: false }),
    viewOf: async (id) => {
      const { Item } = await documents.send(
        new GetCommand({ TableName: tableName, Key: { id }, ConsistentRead: true }),
      );
      return Item;
    },
    versionOf: async (aggregateId) => {
      let last = 0;
      for await (const { version } of store.read({ aggregateType: 'test-account', aggregateId })) last = version;
      return last;
    },
  };
}

describe('an inline projection', () => {
  it('is written with the events of the command, those of several aggregates', async () => {
    const { commands, viewOf, module, balances } = await start();
    await CommandContext.run({ userId: 'u' }, () => commands.execute(new Deposit(['a', 'b'], [1, 2])));
    expect(await viewOf('a')).toMatchObject({ balance: 3, lastVersion: 3 });
    expect(await viewOf('b')).toMatchObject({ balance: 3, lastVersion: 3 });
    const events = module.get(EventStore).read({ aggregateType: 'test-account', aggregateId: 'a' }, { fromVersion: 3 });
    for await (const event of events) expect((await viewOf('a'))!.eventId).toBe(event.eventId);
    expect(balances.contexts[0]).toMatchObject({ userId: 'u' });
  });

  it('takes one request with the commit, whoever appends', async () => {
    const { client, module, viewOf } = await start();
    const requests = recordRequests(client);
    const stream = { aggregateType: 'test-account', aggregateId: 'a' };
    await module.get(EventStore).append(stream, [new AccountOpened('Ada')], { expectedVersion: 0 });
    expect(requests).toEqual(['TransactWriteItems']);
    expect(await viewOf('a')).toMatchObject({ balance: 0, lastVersion: 1 });
  });

  it('leaves commits alone that have none of its events, and other aggregates', async () => {
    @Injectable()
    @Projection('of-others', { inline: true, aggregates: ['other'] })
    class OfOthers {
      @On(MoneyDeposited) deposited(): void {
        throw new Error('It follows no account.');
      }
    }
    const { client, module } = await start([OfOthers, Balances]);
    const store = module.get(EventStore);
    const requests = recordRequests(client);
    await store.append({ aggregateType: 'other', aggregateId: 'o' }, [new AccountOpened('Ada')], {
      expectedVersion: 0,
    });
    expect(requests).toEqual(['PutItem']);
  });

  it('refuses the command when its condition fails, and nothing is stored', async () => {
    const { commands, viewOf, versionOf, handler } = await start();
    await commands.execute(new Deposit(['a'], [900]));
    const refused = commands.execute(new Deposit(['b', 'a'], [101]));
    await expect(refused).rejects.toThrow(TableWriteRefusedError);
    await expect(refused).rejects.toThrow(/"inline-balances" was refused by its own condition/);
    expect(handler.runs).toBe(2);
    expect(await versionOf('a')).toBe(2);
    expect(await versionOf('b')).toBe(0);
    expect(await viewOf('a')).toMatchObject({ balance: 900 });
    expect(await viewOf('b')).toBeUndefined();
  });

  it('refuses the command when a method throws', async () => {
    const { commands, balances, viewOf, versionOf } = await start();
    balances.before = async ({ recorded: { version } }) => {
      if (version === 2) throw new RangeError('Not today.');
    };
    await expect(commands.execute(new Deposit(['a'], [1]))).rejects.toThrow(RangeError);
    expect([await versionOf('a'), await viewOf('a')]).toEqual([0, undefined]);
  });

  it('holds up no caller that has ended its commit', async () => {
    const { balances, module, versionOf } = await start();
    const controller = new AbortController();
    balances.before = async () => {
      controller.abort();
      await new Promise(() => {});
    };
    const stream = { aggregateType: 'test-account', aggregateId: 'a' };
    const options = { expectedVersion: 0, signal: controller.signal };
    const started = performance.now();
    const ended = module.get(EventStore).append(stream, [new AccountOpened('Ada')], options);
    await expect(ended).rejects.toThrow(OperationAbortedError);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(await versionOf('a')).toBe(0);
  });

  it('is asked anew when the command lost its race, and only the commit that won is in the view', async () => {
    const { commands, handler, viewOf, module } = await start();
    await commands.execute(new Deposit(['a'], [1]));
    handler.beforeEnd = async () => {
      handler.beforeEnd = async () => {};
      const stream = { aggregateType: 'test-account', aggregateId: 'a' };
      await module.get(EventStore).append(stream, [new MoneyDeposited(10)], { expectedVersion: ANY_VERSION });
    };
    await commands.execute(new Deposit(['a'], [100]));
    expect(handler.runs).toBe(3);
    expect(await viewOf('a')).toMatchObject({ balance: 111, lastVersion: 4 });
  });

  it('is asked anew when events of any version are placed behind another commit', async () => {
    const { balances, viewOf, module } = await start();
    const store = module.get(EventStore);
    const stream = { aggregateType: 'test-account', aggregateId: 'a' };
    await store.append(stream, [new AccountOpened('Ada')], { expectedVersion: 0 });
    balances.before = async () => {
      balances.before = async () => {};
      await store.append(stream, [new MoneyDeposited(10)], { expectedVersion: ANY_VERSION });
    };
    await store.append(stream, [new MoneyDeposited(100)], { expectedVersion: ANY_VERSION });
    expect(await viewOf('a')).toMatchObject({ balance: 110, lastVersion: 3 });
  });

  it('is in the view once, when the answer to the commit was lost', async () => {
    const { commands, client, viewOf } = await start();
    let lost = 0;
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const answer = await next(args);
        if ((context as { commandName?: string }).commandName !== 'TransactWriteItemsCommand' || lost++ > 0)
          return answer;
        throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      },
      { step: 'deserialize', priority: 'high' },
    );
    await commands.execute(new Deposit(['a'], [5]));
    expect(lost).toBe(2);
    expect(await viewOf('a')).toMatchObject({ balance: 5 });
  });

  it('leaves the outcome open when its condition fails behind a request that may still arrive', async () => {
    const { commands, client, versionOf } = await start();
    await commands.execute(new Deposit(['a'], [1000]));
    let lost = 0;
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const isFirst =
          (context as { commandName?: string }).commandName === 'TransactWriteItemsCommand' && lost++ === 0;
        if (isFirst) throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
        return next(args);
      },
      { step: 'deserialize', priority: 'high' },
    );
    const ended = await commands.execute(new Deposit(['a'], [1])).catch((error: unknown) => error);
    expect(ended).toBeInstanceOf(CommitOutcomeUnknownError);
    expect(await versionOf('a')).toBe(2);
  });

  it('is told what is wrong with its writes', async () => {
    @Injectable()
    @Projection('wrong', { inline: true })
    class Wrong {
      what: 'twice' | 'wrong key' | 'too many' | 'too large' | 'no value' | 'no table' | 'never' = 'twice';

      constructor(@Inject(BALANCES) private readonly tableName: string) {}

      @On(MoneyDeposited) async deposited(_: MoneyDeposited, { transaction }: ProjectionContext): Promise<void> {
        const { tableName: TableName } = this;
        if (this.what === 'twice') transaction.delete({ TableName, Key: { id: 'a' } });
        if (this.what === 'wrong key') transaction.put({ TableName, Item: { id: 5 } });
        if (this.what === 'too large') {
          for (let id = 0; id < 11; id++) {
            transaction.put({ TableName, Item: { id: String(id), is: true, text: ['x'.repeat(390_000)] } });
          }
        }
        if (this.what === 'no value') transaction.put({ TableName, Item: { id: 'w', at: new Date(0) } });
        if (this.what === 'no table') transaction.put({ TableName: 'not-there', Item: { id: 'w' } });
        if (this.what === 'never') await new Promise(() => {});
        if (this.what === 'too many') {
          for (let id = 0; id < 100; id++) transaction.delete({ TableName, Key: { id: String(id) } });
        }
      }
    }
    const { commands, module, versionOf } = await start([Wrong, Balances], { deadlineMs: 2000 });
    const wrong = module.get(Wrong, { strict: false });
    await expect(commands.execute(new Deposit(['a'], [1, 2]))).rejects.toThrow(/"wrong" writes an item twice/);
    wrong.what = 'wrong key';
    await expect(commands.execute(new Deposit(['a'], [1]))).rejects.toThrow(/has another key than its table/);
    wrong.what = 'too many';
    const tooMany = commands.execute(new Deposit(['a'], [1]));
    await expect(tooMany).rejects.toMatchObject({ size: 103, unit: 'writes' });
    await expect(tooMany).rejects.toThrow(CommitTooLargeError);
    wrong.what = 'too large';
    await expect(commands.execute(new Deposit(['a'], [1]))).rejects.toMatchObject({ unit: 'bytes' });
    wrong.what = 'no value';
    await expect(commands.execute(new Deposit(['a'], [1]))).rejects.toThrow(/values that are no data, such as a Date/);
    wrong.what = 'no table';
    await expect(commands.execute(new Deposit(['a'], [1]))).rejects.toThrow(/to table "events-.*"not-there"/);
    wrong.what = 'never';
    const never = commands.execute(new Deposit(['a'], [1]));
    await expect(never).rejects.toThrow(EventStoreUnavailableError);
    await expect(never).rejects.toThrow(/Inline projections had not returned/);
    expect(await versionOf('a')).toBe(0);
  });

  it('takes values of every kind, and leaves the states of inline snapshots where they are', async () => {
    @Injectable()
    @Projection('kinds', { inline: true })
    class Kinds {
      constructor(@Inject(BALANCES) private readonly tableName: string) {}

      @On(MoneyDeposited) deposited(_: MoneyDeposited, { transaction }: ProjectionContext): void {
        const nested = {
          no: null,
          left: undefined,
          flags: [true, false],
          set: new Set(['a', 'b']),
          bytes: new Uint8Array(3),
        };
        transaction.put({ TableName: this.tableName, Item: { id: 'kinds', at: 5n, nested } });
      }
    }
    const { commands, viewOf, client, tables } = await start([Kinds, Balances]);
    await commands.execute(new Deposit(['a'], [1]));
    const nested = { no: null, flags: [true, false], set: new Set(['a', 'b']), bytes: new Uint8Array(3) };
    expect(await viewOf('kinds')).toEqual({ id: 'kinds', at: 5, nested });
    const { events, bookkeeping } = tables;
    const store = new DynamoDbEventStore({
      client,
      tables: { events, bookkeeping },
      registry: new EventRegistry().register(MoneyDeposited),
      deadlineMs: 5000,
    });
    store.joinCommits = async () => [{ projection: 'p', write: { Put: { TableName: events, Item: kindsItem } } }];
    const stream = { aggregateType: 'with-state', aggregateId: 'a' };
    const state = { snapshotVersion: 1, state: '{}' };
    await store.commit({ appends: [{ stream, events: [new MoneyDeposited(1)], expectedVersion: 0, state }] });
    expect((await store.readSinceSnapshot(stream, 0)).snapshot).toMatchObject({ version: 1, state: '{}' });
  });

  it('takes no options of a subscription', () => {
    expect(() => Projection('x', { inline: true, poison: 'skip' })(Balances)).toThrow(
      new ProjectionError(
        "@Projection on Balances: poison means nothing with inline: its writes are part of the command's own commit.",
      ),
    );
  });
});

describe('an inline projection without a database', () => {
  it('is refused by the in-memory store, and nothing is stored', async () => {
    const application = await startApplication('memory', {
      features: [Account],
      providers: [DepositHandler, Balances, { provide: BALANCES, useValue: 'balances' }],
    });
    closing.push(application.close);
    await expect(application.commands.execute(new Deposit(['a'], [1]))).rejects.toThrow(TableWriteRefusedError);
    const events = application.module.get(EventStore).read({ aggregateType: 'test-account', aggregateId: 'a' });
    expect(await collect(events)).toEqual([]);
  });

  it('is recorded by the testing module', async () => {
    const app = await createEventStoreTestingModule({
      aggregates: [Account],
      providers: [DepositHandler, Balances, { provide: BALANCES, useValue: 'balances' }],
    });
    closing.push(() => app.close());
    await app.given(Account, 'a', [new AccountOpened('Ada'), new MoneyDeposited(1)]);
    expect(app.writesOf(Balances)).toEqual([]);
    app.get(Balances).before = async () => {
      app.get(Balances).before = async () => {};
      await app.store.seed({ aggregateType: 'test-account', aggregateId: 'a' }, [new MoneyDeposited(7)]);
    };
    await app.commands.execute(new Deposit(['a'], [2, 3]));
    expect(app.writesOf(Balances)).toEqual([
      {
        Update: expect.objectContaining({
          Key: { id: 'a' },
          ExpressionAttributeValues: expect.objectContaining({ ':amount': 5, ':version': 5 }),
        }),
      },
    ]);
    expect(app.get(DepositHandler).runs).toBe(2);
  });

  it('lets one of several racing commits in', async () => {
    const app = await createEventStoreTestingModule({
      aggregates: [Account],
      providers: [Balances, { provide: BALANCES, useValue: 'balances' }],
    });
    closing.push(() => app.close());
    const stream = { aggregateType: 'test-account', aggregateId: 'a' };
    const append = () => app.store.append(stream, [new AccountOpened('Ada')], { expectedVersion: 0 });
    const ended = await Promise.allSettled([append(), append(), append()]);
    expect(ended.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(app.writesOf(Balances)).toHaveLength(1);
    expect((await collect(app.store.read(stream))).map(({ version }) => version)).toEqual([1]);
  });

  it('can be given commits', async () => {
    const balances = new Balances('balances');
    const commit = recorded(Account, 'a-1', [new AccountOpened('Ada'), new MoneyDeposited(1), new MoneyDeposited(2)]);
    const outcome = givenProjection(balances).when([commit, recorded(Account, 'a-1', [new MoneyDeposited(4)])]);
    await outcome.thenWrites((writes) => {
      expect(writes).toHaveLength(2);
      expect(writes).toMatchObject([
        { Update: { ExpressionAttributeValues: { ':amount': 3, ':version': 3 } } },
        { Update: { ExpressionAttributeValues: { ':amount': 4, ':version': 4 } } },
      ]);
    });
    await outcome.redelivered().thenNothing();
  });
});
