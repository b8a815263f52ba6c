import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { DynamoDBDocumentClient, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { CreateTableCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createStreamHandler,
  DynamoDbEventStore,
  EventRegistry,
  EventStoreModule,
  On,
  Projection,
  provisionTables,
  Subscriptions,
  type ProjectionContext,
  type ProjectionOptions,
  type StreamHandler,
  type StreamRecord,
} from '../../src/index.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';
import { breakGlassClient, newClient, newTableNames } from '../setup/database.js';
import { asLambdaHasIt, recordsOf } from '../setup/stream-records.js';

const client = newClient();
const admin = breakGlassClient();
const tables = newTableNames();
const views = `views-${randomUUID()}`;
const store = new DynamoDbEventStore({
  deadlineMs: 10_000,
  client,
  tables,
  registry: new EventRegistry().register(AccountOpened, MoneyDeposited, MoneyWithdrawn),
});

beforeAll(async () => {
  await provisionTables(client, tables);
  const [name] = ['id'];
  await admin.send(
    new CreateTableCommand({
      TableName: views,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: name, AttributeType: 'S' }],
      KeySchema: [{ AttributeName: name, KeyType: 'HASH' }],
    }),
  );
});

const handlers: StreamHandler[] = [];
afterEach(async () => {
  await Promise.all(handlers.splice(0).map((handler) => handler.close()));
});
afterAll(() => {
  client.destroy();
  admin.destroy();
});

interface Seen {
  readonly seen: string[];
  readonly of: (id: string) => number[];
  failing: (place: string) => boolean;
}

/** A projection class of its own name, and what its instances have seen. */
function newProjection(options: ProjectionOptions = {}) {
  const seen: string[] = [];
  const name = `seen-${randomUUID()}`;
  const watched: Seen = {
    seen,
    of: (id) => seen.filter((place) => place.startsWith(`${id}@`)).map((place) => Number(place.split('@')[1])),
    failing: () => false,
  };

  @Projection(name, { attempts: 2, ...options })
  class View {
    @On(AccountOpened) opened(_: AccountOpened, context: ProjectionContext): void {
      this.see(context);
    }

    @On(MoneyDeposited) async deposited(_: MoneyDeposited, context: ProjectionContext): Promise<void> {
      // Others get their turn meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 1));
      this.see(context);
    }

    private see({ recorded }: ProjectionContext): void {
      const place = `${recorded.stream.aggregateId}@${recorded.version}`;
      if (watched.failing(place)) throw new Error('The view is broken.');
      seen.push(place);
    }
  }
  return { View, name, watched };
}

/** Adds up in a table, by writes that count once. */
function newSums() {
  const name = `sums-${randomUUID()}`;
  const watched = { failing: -1 };

  @Projection(name, { attempts: 2 })
  class Sums {
    @On(MoneyDeposited) deposited({ amount }: MoneyDeposited, { recorded, transaction }: ProjectionContext): void {
      if (amount === watched.failing) throw new Error('The view is broken.');
      transaction.update({
        TableName: views,
        Key: { id: `${name}@${recorded.stream.aggregateId}` },
        UpdateExpression: 'ADD amount :amount',
        ExpressionAttributeValues: { ':amount': amount },
      });
    }
  }
  const sumOf = async (id: string) => {
    const { Items } = await admin.send(new ScanCommand({ TableName: views, ConsistentRead: true }));
    return Number(Items!.find((item) => item.id!.S === `${name}@${id}`)?.amount?.N ?? 0);
  };
  return { Sums, name, sumOf, watched };
}

@Module({})
class AppModule {}

function application(...providers: Provider[]): DynamicModule {
  return {
    module: AppModule,
    imports: [
      CqrsModule.forRoot(),
      EventStoreModule.forRoot({ client: breakGlass, tables, subscriptions: { pollMs: 5, marginMs: 1 } }),
      EventStoreModule.forFeature([Account]),
    ],
    providers,
  };
}

/** The writes of a view are on a table that the policies of the package know nothing of. */
const breakGlass = breakGlassClient();
afterAll(() => breakGlass.destroy());

/** A container of Lambda. */
function container(...providers: Provider[]): StreamHandler {
  const handler = createStreamHandler(application(...providers), { logger: false });
  handlers.push(handler);
  return handler;
}

const streamOf = (aggregateId: string) => ({ aggregateType: 'test-account', aggregateId });

/** Stores so many events of a new account, the first two in one transaction, and gives their records in order. */
async function newAccount(events: number): Promise<{ id: string; records: StreamRecord[] }> {
  const id = randomUUID();
  const more = Array.from({ length: events - 1 }, (_, index) => new MoneyDeposited(index + 1));
  await store.append(streamOf(id), [new AccountOpened('Ada'), ...more.slice(0, 1)], { expectedVersion: 0 });
  for (const [index, event] of more.slice(1).entries()) {
    await store.append(streamOf(id), [event], { expectedVersion: index + 2 });
  }
  return { id, records: await recordsFor(id) };
}

async function recordsFor(id: string): Promise<StreamRecord[]> {
  const all = (await recordsOf(admin, tables.events)).map(asLambdaHasIt);
  const own = all.filter(({ dynamodb }) => (dynamodb!.NewImage as { pk?: { S: string } }).pk!.S.includes(id));
  return own.toSorted((one, other) => versionOf(one) - versionOf(other));
}

const versionOf = ({ dynamodb }: StreamRecord) => Number((dynamodb!.NewImage as { sk: { N: string } }).sk.N);
const NONE = { batchItemFailures: [] };
const from = (record: StreamRecord | undefined) => ({
  batchItemFailures: [{ itemIdentifier: record!.dynamodb!.SequenceNumber }],
});

describe('a stream handler', () => {
  it('boots once, without polling, and handles each event of a batch', async () => {
    const { View, watched } = newProjection();
    let boots = 0;
    const booted: Provider = { provide: 'boots', useFactory: () => ++boots };
    const { id, records } = await newAccount(3);
    const handler = container(View, booted);
    expect(await Promise.all([handler({ Records: records }), handler({ Records: [] })])).toEqual([NONE, NONE]);
    expect(await handler({ Records: records.slice(1) })).toEqual(NONE);
    await newAccount(2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(watched.of(id)).toEqual([1, 2, 3]);
    expect([boots, watched.seen.length]).toEqual([1, 3]);
  });

  it('boots anew after a boot that failed', async () => {
    const { View, watched } = newProjection();
    let boots = 0;
    const failing: Provider = {
      provide: 'boots',
      useFactory: () => {
        if (++boots === 1) throw new Error('Not yet.');
        return boots;
      },
    };
    const { id, records } = await newAccount(1);
    const handler = container(View, failing);
    await expect(handler({} as never)).rejects.toThrow(/without the Records of a DynamoDB stream/);
    await expect(handler({ Records: [{ s3: {} }] } as never)).rejects.toThrow(
      /without the Records of a DynamoDB stream/,
    );
    await expect(handler({ Records: records })).rejects.toThrow('Not yet.');
    expect(await handler({ Records: records })).toEqual(NONE);
    expect(watched.of(id)).toEqual([1]);
  });

  it('handles the records of one transaction in order, whichever way they come', async () => {
    const { View, watched } = newProjection();
    const { id, records } = await newAccount(3);
    const handler = container(View);
    expect(await handler({ Records: records.toReversed() })).toEqual(NONE);
    expect(watched.of(id)).toEqual([1, 2, 3]);
  });

  it('handles them in order over two batches in two containers, and repeated ones once', async () => {
    const { View, watched } = newProjection();
    const { id, records } = await newAccount(4);
    const [one, other] = [container(View), container(View)];
    expect(await one({ Records: [records[1]!] })).toEqual(NONE);
    expect(await other({ Records: [records[0]!] })).toEqual(NONE);
    expect(await other({ Records: records })).toEqual(NONE);
    expect(await one({ Records: records })).toEqual(NONE);
    expect(watched.of(id)).toEqual([1, 2, 3, 4]);
  });

  it('reads from the table what was never brought', async () => {
    const { View, watched } = newProjection();
    const { id, records } = await newAccount(25);
    const handler = container(View);
    await handler({ Records: records.slice(0, 2) });
    await handler({ Records: [records[19]!, records[24]!] });
    expect(watched.of(id)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  });

  it('begins at the time that a projection says, where nothing is known of a stream', async () => {
    const { id, records } = await newAccount(2);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { View, watched } = newProjection({ from: new Date() });
    for (const version of [2, 3, 4]) {
      await store.append(streamOf(id), [new MoneyDeposited(1)], { expectedVersion: version });
    }
    const later = await recordsFor(id);
    const handler = container(View);
    await handler({ Records: records });
    expect(watched.seen).toEqual([]);
    await handler({ Records: [...records, later[3]!] });
    await handler({ Records: later });
    expect(watched.of(id)).toEqual([3, 4, 5]);
  });

  it('adds up once, though all comes twice at the same time', async () => {
    const { Sums, sumOf } = newSums();
    const { id, records } = await newAccount(6);
    const [one, other] = [container(Sums), container(Sums)];
    await Promise.all([one({ Records: records }), other({ Records: records })]);
    await one({ Records: records.toReversed() });
    expect(await sumOf(id)).toBe(1 + 2 + 3 + 4 + 5);
  });

  it('loses no write of an event that was parked, nor of those behind it', async () => {
    const { Sums, name, sumOf, watched } = newSums();
    const { id, records } = await newAccount(4);
    const handler = container(Sums);
    watched.failing = 2;
    await handler({ Records: records });
    expect(await sumOf(id)).toBe(1);
    watched.failing = -1;
    const operator = await subscriptionsOf(Sums);
    await operator.retry((await operator.parked(name))[0]!);
    await handler({ Records: records });
    expect(await sumOf(id)).toBe(1 + 2 + 3);
  });

  it('ignores snapshots, deletions, changes, and items of others', async () => {
    const { View, watched } = newProjection();
    const { id, records } = await newAccount(2);
    await store.saveSnapshot(streamOf(id), { version: 2, eventTime: Date.now(), state: '{}', snapshotVersion: 1 });
    const documents = DynamoDBDocumentClient.from(breakGlass);
    await documents.send(new PutCommand({ TableName: tables.events, Item: { pk: `${id}-x`, sk: 1, flag: true } }));
    const all = await recordsFor(id);
    expect(all).toHaveLength(4);
    const [first] = records;
    const others = ['MODIFY', 'REMOVE'].map((eventName) => ({ ...first!, eventName }));
    const handler = container(View);
    expect(await handler({ Records: [...others, ...all.toReversed()] })).toEqual(NONE);
    expect(watched.of(id)).toEqual([1, 2]);
  });

  it('says so when records carry no images', async () => {
    const { View, watched } = newProjection();
    const { id, records } = await newAccount(2);
    const [first] = records;
    const bare = { eventName: 'INSERT', dynamodb: { SequenceNumber: '7' } };
    expect(await container(View)({ Records: [first!, bare] })).toEqual(from(bare));
    expect(watched.of(id)).toEqual([1]);
  });

  it('reads a damaged record from the table, and parks it where that is damaged as well', async () => {
    const { View, watched, name } = newProjection();
    const { id, records } = await newAccount(4);
    const withData = (record: StreamRecord | undefined, data: object) => {
      const image = { ...record!.dynamodb!.NewImage, eventData: data };
      return { ...record!, dynamodb: { ...record!.dynamodb, NewImage: image } };
    };
    const [first, second, third, fourth] = records;
    const handler = container(View);
    expect(await handler({ Records: [first!, withData(second, { S: '{"amount":1000000}' })] })).toEqual(NONE);
    expect(watched.of(id)).toEqual([1, 2]);
    const documents = DynamoDBDocumentClient.from(breakGlass);
    const { pk, sk } = third!.dynamodb!.NewImage as { pk: { S: string }; sk: { N: string } };
    await documents.send(
      new UpdateCommand({
        TableName: tables.events,
        Key: { pk: pk.S, sk: Number(sk.N) },
        UpdateExpression: 'REMOVE eventData',
      }),
    );
    expect(await handler({ Records: [withData(third, { N: '7' }), fourth!] })).toEqual(NONE);
    const operator = await subscriptionsOf(View);
    expect(await operator.parked(name)).toMatchObject([
      { version: 3, eventType: '', error: { name: 'CorruptStreamError' } },
    ]);
    expect(watched.of(id)).toEqual([1, 2]);
    // It could be read, and its handler fails.
    const other = await newAccount(1);
    watched.failing = () => true;
    await handler({ Records: [withData(other.records[0], { N: '7' })] });
    const { eventType } = (await operator.parked(name)).find(({ stream }) => stream.aggregateId === other.id)!;
    expect(eventType).not.toBe('');
  });

  it('parks an event whose handler keeps failing, and settles it with a later batch when it is to', async () => {
    const { View, watched, name } = newProjection();
    const [broken, other] = [await newAccount(4), await newAccount(3)];
    watched.failing = (place) => place === `${broken.id}@2`;
    const handler = container(View);
    expect(await handler({ Records: [...broken.records, ...other.records] })).toEqual(NONE);
    expect([watched.of(broken.id), watched.of(other.id)]).toEqual([[1], [1, 2, 3]]);
    expect(await handler({ Records: broken.records })).toEqual(NONE);
    expect(watched.of(broken.id)).toEqual([1]);

    watched.failing = () => false;
    const operator = await subscriptionsOf(View);
    const [parked] = await operator.parked(name);
    expect(parked).toMatchObject({ version: 2, attempts: 2 });
    await operator.retry(parked!);
    const next = await newAccount(1);
    expect(await handler({ Records: next.records })).toEqual(NONE);
    expect(watched.of(broken.id)).toEqual([1, 2, 3, 4]);
    expect(await operator.parked(name)).toEqual([]);
    await handler({ Records: broken.records });
    expect(watched.of(broken.id)).toEqual([1, 2, 3, 4]);
  });

  it('goes on behind a poison event that is to be skipped, or was left out', async () => {
    const [skipping, stopping] = [newProjection({ poison: 'skip' }), newProjection()];
    const { id, records } = await newAccount(4);
    for (const { watched } of [skipping, stopping]) watched.failing = (place) => place === `${id}@2`;
    const handler = container(skipping.View, stopping.View);
    expect(await handler({ Records: records.slice(0, 3) })).toEqual(NONE);
    expect([skipping.watched.of(id), stopping.watched.of(id)]).toEqual([[1, 3], [1]]);
    const operator = await subscriptionsOf(stopping.View);
    const [parked] = await operator.parked(stopping.name);
    await operator.discard(parked!);
    expect(await handler({ Records: records })).toEqual(NONE);
    expect([skipping.watched.of(id), stopping.watched.of(id)]).toEqual([
      [1, 3, 4],
      [1, 3, 4],
    ]);
  });

  it('reports the first record from which on the batch has to come again, where a subscription stops', async () => {
    const [stopping, going] = [newProjection({ poison: 'stop-subscription' }), newProjection()];
    const [first, broken] = [await newAccount(2), await newAccount(3)];
    stopping.watched.failing = (place) => place === `${broken.id}@2`;
    const handler = container(stopping.View, going.View);
    const Records = [...broken.records, ...first.records];
    const { batchItemFailures } = await handler({ Records });
    expect(batchItemFailures).toHaveLength(1);
    expect(going.watched.of(broken.id)).toEqual([1, 2, 3]);
    expect(stopping.watched.of(broken.id)).toEqual([1]);
    expect(await handler({ Records })).toEqual(from(Records[0]));
    stopping.watched.failing = () => false;
    const operator = await subscriptionsOf(stopping.View);
    await operator.resume(stopping.name);
    expect(await handler({ Records })).toEqual(NONE);
    for (const { watched } of [stopping, going]) expect(watched.of(broken.id)).toEqual([1, 2, 3]);
    for (const { watched } of [stopping, going]) expect(watched.of(first.id)).toEqual([1, 2]);
  });

  it('keeps what it has done when the time of an invocation is over, and reports the rest', async () => {
    const { View, watched } = newProjection({ attempts: 100 });
    const [ready, broken] = [await newAccount(3), await newAccount(3)];
    watched.failing = (place) => place === `${broken.id}@3`;
    const handler = container(View);
    await handler({ Records: [] });
    const Records = [...ready.records, ...broken.records];
    expect(await handler({ Records }, { getRemainingTimeInMillis: () => 1500 })).toEqual(from(broken.records[2]));
    expect([watched.of(ready.id), watched.of(broken.id)]).toEqual([
      [1, 2, 3],
      [1, 2],
    ]);
    watched.failing = () => false;
    expect(await handler({ Records: Records.slice(5) })).toEqual(NONE);
    expect(watched.of(broken.id)).toEqual([1, 2, 3]);
  });

  it('waits where a subscription is paused', async () => {
    const { View, watched, name } = newProjection();
    const { id, records } = await newAccount(2);
    const operator = await subscriptionsOf(View);
    await operator.pause(name);
    const handler = container(View);
    expect(await handler({ Records: records })).toEqual(from(records[0]));
    await operator.resume(name);
    expect(await handler({ Records: records })).toEqual(NONE);
    expect(watched.of(id)).toEqual([1, 2]);
  });
});

/** What an operator has: the same application, without polling. */
async function subscriptionsOf(projection: Provider): Promise<Subscriptions> {
  let found: Subscriptions | undefined;
  const holder: Provider = {
    provide: 'holder',
    inject: [Subscriptions],
    useFactory: (subscriptions: Subscriptions) => (found = subscriptions),
  };
  await container(projection, holder)({ Records: [] });
  return found!;
}
