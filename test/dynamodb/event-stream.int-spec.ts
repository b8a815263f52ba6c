import { randomUUID } from 'node:crypto';
import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DynamoDbEventStream } from '../../src/dynamodb/dynamodb-event-stream.js';
import { DynamoDbEventStore, EventRegistry, EventStoreUnavailableError, provisionTables } from '../../src/index.js';
import { MoneyDeposited } from '../setup/bank.js';
import { breakGlassClient, newClient, newTableNames } from '../setup/database.js';

const client = newClient();
const tables = newTableNames();
const store = new DynamoDbEventStore({
  client,
  tables,
  registry: new EventRegistry().register(MoneyDeposited),
  deadlineMs: 10_000,
});
let stream: DynamoDbEventStream;

beforeAll(async () => {
  await provisionTables(client, tables);
  stream = await DynamoDbEventStream.open({ client, tableName: tables.events, deadlineMs: 10_000 });
});
afterAll(() => {
  stream.close();
  client.destroy();
});

describe('the stream of the events table', () => {
  it('gives events and no snapshots, from the oldest or behind a record', async () => {
    const account = { aggregateType: 'account', aggregateId: randomUUID() };
    await store.append(account, [new MoneyDeposited(1)], { expectedVersion: 0 });
    await store.saveSnapshot(account, { version: 1, eventTime: Date.now(), state: '{}', snapshotVersion: 1 });
    const large = new MoneyDeposited(2, 'EUR'.repeat(2000));
    await store.append(account, [large], { expectedVersion: 1 });

    const [shard, ...others] = await stream.shards();
    expect(others).toEqual([]);
    const page = await stream.read(await stream.iterator(shard!.id, 'oldest'));
    expect(page.events.map(({ version }) => version)).toEqual([1, 2]);
    expect(page.next).toEqual(expect.any(String));
    const stored = page.events.map(({ stream: of, eventData }) => [of, typeof eventData]);
    expect(stored).toEqual([
      [account, 'string'],
      [account, 'object'],
    ]);

    await store.append(account, [new MoneyDeposited(3)], { expectedVersion: 2 });
    const behind = await stream.read(await stream.iterator(shard!.id, { after: page.last! }));
    expect(behind.events.map(({ version }) => version)).toEqual([3]);
    const latest = await stream.iterator(shard!.id, 'latest');
    expect(await stream.read(latest)).toMatchObject({ events: [], last: undefined });
    await store.append(account, [new MoneyDeposited(4)], { expectedVersion: 3 });
    expect((await stream.read(latest)).events.map(({ version }) => version)).toEqual([4]);
  });

  it('says so where there is none, or none with images', async () => {
    const admin = breakGlassClient();
    for (const type of [undefined, 'KEYS_ONLY'] as const) {
      const TableName = `bare-${randomUUID()}`;
      await admin.send(
        new CreateTableCommand({
          TableName,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
          KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
          ...(type && { StreamSpecification: { StreamEnabled: true, StreamViewType: type } }),
        }),
      );
      const bare = await DynamoDbEventStream.open({ client: admin, tableName: TableName, deadlineMs: 10_000 });
      await expect(bare.shards()).rejects.toThrow(/enable one with the view type NEW_IMAGE/);
      bare.close();
    }
    admin.destroy();
  });

  it('says so where it cannot be read', async () => {
    await expect(stream.iterator('shardId-00000000000000000000-00000000', 'oldest')).rejects.toThrow(
      EventStoreUnavailableError,
    );
    await expect(stream.read('no iterator')).rejects.toThrow(EventStoreUnavailableError);
  });
});
