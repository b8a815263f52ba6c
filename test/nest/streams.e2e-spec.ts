import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { PutCommand, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  EventStore,
  EventStoreModule,
  InvalidConfigurationError,
  On,
  Projection,
  provisionTables,
  type EventStoreModuleOptions,
  type ProjectionContext,
  type SubscriptionOptions,
} from '../../src/index.js';
import { Account, AccountOpened, MoneyDeposited } from '../setup/bank.js';
import { breakGlassClient, newClient, newTableNames } from '../setup/database.js';
import { until } from '../setup/until.js';

const seen: { readonly place: string; readonly at: number }[] = [];

@Projection('seen', { aggregates: [Account] })
class View {
  @On(AccountOpened) opened(_: AccountOpened, context: ProjectionContext): void {
    this.see(context);
  }

  @On(MoneyDeposited) deposited(_: MoneyDeposited, context: ProjectionContext): void {
    this.see(context);
  }

  private see({ recorded }: ProjectionContext): void {
    seen.push({ place: `${recorded.stream.aggregateId}@${recorded.version}`, at: performance.now() });
  }
}

@Module({})
class AppModule {}

const client = newClient();
const tables = newTableNames();
/** So slow that within a test nothing comes from the feed once it was read. */
const SLOW_FEED = { pollMs: 60_000, leaseMs: 1500 };

beforeAll(() => provisionTables(client, tables));
afterAll(() => client.destroy());

const open: TestingModule[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((module) => module.close()));
});

function application(subscriptions: SubscriptionOptions, more: Partial<EventStoreModuleOptions> = {}): DynamicModule {
  return {
    module: AppModule,
    imports: [
      CqrsModule.forRoot(),
      EventStoreModule.forRoot({ client, tables, subscriptions, ...more }),
      EventStoreModule.forFeature([Account]),
    ],
    providers: [View],
  };
}

async function start(
  subscriptions: SubscriptionOptions,
  more?: Partial<EventStoreModuleOptions>,
): Promise<TestingModule> {
  const module = await Test.createTestingModule({ imports: [application(subscriptions, more)] }).compile();
  open.push(module);
  await module.init();
  return module;
}

const streamOf = (aggregateId: string) => ({ aggregateType: 'test-account', aggregateId });
const versionsOf = (id: string) =>
  seen.filter(({ place }) => place.startsWith(`${id}@`)).map(({ place }) => Number(place.split('@')[1]));

/** Stores events one by one, and says when each was stored. */
async function store(module: TestingModule, id: string, from: number, to: number): Promise<number[]> {
  const times: number[] = [];
  for (let version = from; version <= to; version++) {
    const event = version === 1 ? new AccountOpened('Ada') : new MoneyDeposited(version);
    await module.get(EventStore).append(streamOf(id), [event], { expectedVersion: version - 1 });
    times.push(performance.now());
  }
  return times;
}

/** Until all of the feed is read once, and the shards of the stream are being read. */
async function follows(module: TestingModule): Promise<void> {
  const id = randomUUID();
  await until(async () => {
    await store(module, `${id}-${seen.length}-${Date.now()}`, 1, 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return seen.some(({ place }) => place.startsWith(id));
  });
}

describe('DynamoDB Streams as the source', () => {
  it('brings events in under half a second at the median, once and in order', async () => {
    const module = await start({ source: 'streams', ...SLOW_FEED });
    await follows(module);
    const ids = Array.from({ length: 10 }, () => randomUUID());
    const delays: number[] = [];
    for (const id of ids) {
      const times = await store(module, id, 1, 5);
      await until(() => versionsOf(id).length >= 5);
      for (const [index, time] of times.entries()) {
        delays.push(seen.find(({ place }) => place === `${id}@${index + 1}`)!.at - time);
      }
    }
    const median = delays.toSorted((one, other) => one - other)[delays.length / 2]!;
    if (process.env.SHOW) process.stdout.write(`median ${median} ms\n`);
    expect(median).toBeLessThan(500);
    for (const id of ids) expect(versionsOf(id)).toEqual([1, 2, 3, 4, 5]);
  });

  it('ignores snapshots and items of others', async () => {
    const module = await start({ source: 'streams', ...SLOW_FEED });
    await follows(module);
    const id = randomUUID();
    await store(module, id, 1, 1);
    const snapshot = { version: 1, eventTime: Date.now(), state: '{}', snapshotVersion: 1 };
    await module.get(EventStore).saveSnapshot(streamOf(id), snapshot);
    const documents = DynamoDBDocumentClient.from(breakGlassClient());
    await documents.send(new PutCommand({ TableName: tables.events, Item: { pk: `${id}-x`, sk: 1, flag: true } }));
    documents.destroy();
    await store(module, id, 2, 2);
    await until(() => versionsOf(id).length >= 2);
    expect(versionsOf(id)).toEqual([1, 2]);
  });

  it('gives way to the feed, and takes over from it, without a loss, a repetition or disorder', async () => {
    const id = randomUUID();
    const feed = { marginMs: 100, pollMs: 20, leaseMs: 1500 };
    const sources: SubscriptionOptions[] = [feed, { source: 'streams', ...SLOW_FEED, marginMs: 100 }];
    let version = 0;
    for (const subscriptions of [...sources, ...sources, ...sources]) {
      const module = await start(subscriptions);
      await store(module, id, version + 1, version + 3);
      version += 3;
      if (subscriptions.source) await follows(module);
      await store(module, id, version + 1, version + 3);
      version += 3;
      const last = version;
      await until(() => versionsOf(id).length >= last);
      await module.close();
    }
    expect(versionsOf(id)).toEqual(Array.from({ length: version }, (_, index) => index + 1));
  });

  it('is shared by several processes, of which one goes', async () => {
    // What comes while a slice changes hands is brought by the feed.
    const subscriptions = { source: 'streams', pollMs: 500, leaseMs: 1500 } as const;
    const [one, other] = [await start(subscriptions), await start(subscriptions)];
    await follows(one);
    const ids = Array.from({ length: 12 }, () => randomUUID());
    for (const id of ids) await store(one, id, 1, 2);
    await until(() => ids.every((id) => versionsOf(id).length >= 2));
    await other.close();
    for (const id of ids) await store(one, id, 3, 4);
    await until(() => ids.every((id) => versionsOf(id).length >= 4));
    for (const id of ids) expect(versionsOf(id)).toEqual([1, 2, 3, 4]);
  });

  it('holds up no end of the application where nobody gives credentials any more', async () => {
    let answers = true;
    let unanswered = 0;
    const credentials = async () => {
      if (!answers) {
        unanswered++;
        await new Promise(() => {});
      }
      // So soon over that they are asked for before each request.
      return { accessKeyId: 'local', secretAccessKey: 'local', expiration: new Date(Date.now() + 1000) };
    };
    const waiting = newClient({ credentials });
    const module = await start({ source: 'streams', ...SLOW_FEED }, { client: waiting, deadlineMs: 1500 });
    await follows(module);
    answers = false;
    await until(() => unanswered > 0);
    const never = new Promise((resolve) => void setTimeout(() => resolve('open for ever'), 10_000).unref());
    expect(await Promise.race([module.close(), never])).toBeUndefined();
    waiting.destroy();
  });

  it('has to be one that there is', async () => {
    await expect(start({ source: 'kinesis' as 'feed' })).rejects.toThrow(InvalidConfigurationError);
  });
});
