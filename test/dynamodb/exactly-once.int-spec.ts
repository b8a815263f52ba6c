import { randomUUID } from 'node:crypto';
import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { Inject, Injectable, type Type } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  ANY_VERSION,
  EventStore,
  On,
  Projection,
  type ProjectionContext,
  Subscriptions,
  type TableNames,
} from '../../src/index.js';
import { startApplication, type Application } from '../setup/application.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';
import { breakGlassClient, newTableNames } from '../setup/database.js';
import { until } from '../setup/until.js';

const BALANCES = Symbol('Table of balances');

/** Adds each amount: whatever were handled twice would show. */
abstract class Balances {
  constructor(@Inject(BALANCES) protected readonly tableName: string) {}

  protected add(amount: number, { recorded, transaction }: ProjectionContext): void {
    transaction.update({
      TableName: this.tableName,
      Key: { id: recorded.stream.aggregateId },
      UpdateExpression: 'ADD balance :amount, events :one SET lastVersion = :version',
      ExpressionAttributeValues: { ':amount': amount, ':one': 1, ':version': recorded.version },
    });
  }
}

@Injectable()
@Projection('balances')
class OneByOne extends Balances {
  @On(AccountOpened) opened(_: AccountOpened, context: ProjectionContext): void {
    this.add(0, context);
  }

  @On(MoneyDeposited) deposited({ amount }: MoneyDeposited, context: ProjectionContext): void {
    this.add(amount, context);
  }
}

@Injectable()
@Projection('balances-in-batches', { batch: 25, concurrency: 2 })
class InBatches extends OneByOne {}

@Injectable()
@Projection('refused', { attempts: 1 })
class Refused extends Balances {
  item: Record<string, unknown> = {};

  @On(MoneyWithdrawn) withdrawn(_: MoneyWithdrawn, { transaction }: ProjectionContext): void {
    transaction.put({ TableName: this.tableName, Item: this.item });
  }
}

@Injectable()
@Projection('skipping', { attempts: 1, poison: 'skip' })
class Skipping extends Balances {
  fails = true;

  @On(MoneyDeposited) deposited({ amount }: MoneyDeposited, context: ProjectionContext): void {
    if (this.fails && amount === 2) throw new Error('Not this one.');
    this.add(amount, context);
  }
}

const FAST = { marginMs: 5, pollMs: 10, backtrackMs: 1500, leaseMs: 500 };

const open: Application[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((application) => application.close()));
});

interface World {
  readonly client: DynamoDBClient;
  readonly tables: TableNames;
  readonly balances: string;
}

async function newWorld(): Promise<World> {
  const client = breakGlassClient();
  const tables = newTableNames();
  const balances = `balances-${randomUUID()}`;
  await client.send(
    new CreateTableCommand({
      TableName: balances,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
  return { client, tables, balances };
}

async function start({ client, tables, balances }: World, projection: Type): Promise<Application> {
  const application = await startApplication('dynamodb', {
    features: [Account],
    providers: [projection, { provide: BALANCES, useValue: balances }],
    options: { client, tables, provision: true, subscriptions: FAST },
  });
  open.push(application);
  return application;
}

async function deposit(application: Application, id: string, amounts: readonly number[]): Promise<void> {
  const stream = { aggregateType: 'test-account', aggregateId: id };
  const events = amounts.map((amount) => new MoneyDeposited(amount));
  await application.module.get(EventStore).append(stream, events, { expectedVersion: ANY_VERSION });
}

async function balance({ client, balances }: World, id: string): Promise<Record<string, unknown> | undefined> {
  const get = new GetCommand({ TableName: balances, Key: { id }, ConsistentRead: true });
  return (await DynamoDBDocumentClient.from(client).send(get)).Item;
}

describe.each([
  ['balances', OneByOne],
  ['balances-in-batches', InBatches],
])('a view that is written by context.transaction: %s', (name, projection) => {
  it('has each event once, whatever is read again', async () => {
    const world = await newWorld();
    const application = await start(world, projection);
    const ids = Array.from({ length: 5 }, (_, index) => `account-${index}`);
    for (const id of ids) await deposit(application, id, [1, 2, 3]);
    const subscriptions = application.module.get(Subscriptions);
    await until(async () => (await subscriptions.status(name)).lag.events === 0);
    for (let round = 0; round < 3; round++) {
      await subscriptions.reset(name, new Date(0));
      for (const id of ids) await deposit(application, id, [10, 20]);
    }
    await until(async () => (await balance(world, ids.at(-1)!))?.events === 9);
    for (const id of ids) {
      await until(async () => (await balance(world, id))?.lastVersion === 9);
      expect(await balance(world, id)).toEqual({ id, balance: 96, events: 9, lastVersion: 9 });
    }
    const { Items } = await DynamoDBDocumentClient.from(world.client).send(
      new ScanCommand({ TableName: world.balances }),
    );
    expect(Items).toHaveLength(ids.length);
  });

  it('has each event once where two processes share the work, and one more comes and goes', async () => {
    const world = await newWorld();
    const first = await start(world, projection);
    const second = await start(world, projection);
    const ids = Array.from({ length: 12 }, (_, index) => `account-${index}`);
    for (const id of ids) await deposit(first, id, [1]);
    const third = await start(world, projection);
    for (const id of ids) await deposit(second, id, [2, 3]);
    const owners = async () => {
      const { partitions } = await first.module.get(Subscriptions).status(name);
      return new Set(partitions.map(({ owner }) => owner)).size;
    };
    await until(async () => (await owners()) === 3);
    open.splice(open.indexOf(third), 1);
    await third.close();
    for (const id of ids) await deposit(second, id, [4]);
    for (const id of ids) {
      await until(async () => (await balance(world, id))?.lastVersion === 4);
      expect(await balance(world, id)).toEqual({ id, balance: 10, events: 4, lastVersion: 4 });
    }
    await until(async () => (await owners()) === 2);
  });
});

it('stores what a skipped event wrote, once, when it is retried behind later ones', async () => {
  const world = await newWorld();
  const application = await start(world, Skipping);
  await deposit(application, 'a', [1, 2, 4]);
  const subscriptions = application.module.get(Subscriptions);
  await until(async () => (await balance(world, 'a'))?.events === 2);
  expect(await balance(world, 'a')).toMatchObject({ balance: 5, lastVersion: 3 });
  const [parked] = await subscriptions.parked('skipping');
  application.module.get(Skipping, { strict: false }).fails = false;
  await subscriptions.retry(parked!);
  await until(async () => (await subscriptions.parked('skipping')).length === 0);
  expect(await balance(world, 'a')).toMatchObject({ balance: 7, events: 3 });
});

it.each(['retried before it is read again', 'retried after it came again'])(
  'stores what a skipped event wrote, once, when it is %s',
  async (order) => {
    const world = await newWorld();
    const application = await start(world, Skipping);
    const subscriptions = application.module.get(Subscriptions);
    const readAgain = async (amount: number, events: number) => {
      await subscriptions.reset('skipping', new Date(0));
      // When this one is in the view, all before it were read.
      await deposit(application, 'a', [amount]);
      await until(async () => (await balance(world, 'a'))?.events === events);
    };
    const retry = async () => {
      for (const parked of await subscriptions.parked('skipping')) await subscriptions.retry(parked);
      await until(async () => (await subscriptions.parked('skipping')).length === 0);
    };
    await deposit(application, 'a', [1, 2]);
    await until(async () => (await subscriptions.parked('skipping')).length === 1);
    application.module.get(Skipping, { strict: false }).fails = false;
    if (order.startsWith('retried before')) {
      await retry();
      expect(await balance(world, 'a')).toMatchObject({ balance: 3, events: 2 });
      await readAgain(4, 3);
    } else {
      await readAgain(4, 2);
      expect(await balance(world, 'a')).toMatchObject({ balance: 5, events: 2 });
      await retry();
    }
    await readAgain(8, 4);
    expect(await balance(world, 'a')).toMatchObject({ balance: 15, events: 4 });
  },
);

it.each([
  ['of another key than its table', { id: 1 }],
  ['with a value that is no data', { id: 'a', at: new Date(0) }],
])('parks an event whose write is %s', async (_, item) => {
  const world = await newWorld();
  const application = await start(world, Refused);
  application.module.get(Refused, { strict: false }).item = item;
  const stream = { aggregateType: 'test-account', aggregateId: 'a' };
  await application.module.get(EventStore).append(stream, [new MoneyWithdrawn(1)], { expectedVersion: ANY_VERSION });
  const subscriptions = application.module.get(Subscriptions);
  await until(async () => (await subscriptions.parked('refused')).length === 1);
  expect((await subscriptions.parked('refused'))[0]!.error.name).toBe('TableWriteRefusedError');
});
