import { randomUUID } from 'node:crypto';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  BatchWriteCommand,
  DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  ScanCommand,
} from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DynamoDbEventStore, EventRegistry, EventType, provisionTables, type StreamId } from '../../src/index.js';
import { eventItem, itemBytes, type Item } from '../../src/dynamodb/items.js';
import { createTableInput, eventsTable, FEED_SLICES } from '../../src/dynamodb/table.js';
import { streamKey } from '../../src/event/stream-id.js';
import { sideBySide } from '../../src/store/side-by-side.js';
import { collect } from '../setup/collect.js';
import { breakGlassClient, newClient, newTableNames } from '../setup/database.js';

@EventType('items.Noted', { version: 2, aliases: ['items.Remarked'], upcast: { 1: ({ text }) => ({ note: text }) } })
class Noted {
  constructor(readonly note: string) {}
}

@EventType('items.Ticked')
class Ticked {
  constructor(
    readonly count: number,
    readonly text: string,
  ) {}
}

/** Items had no checksum at first. */
const FIRST = { checksum: undefined };
const BAD_BYTES = Buffer.from([1, 2, 3]);

describe('items of the events table', () => {
  const tables = newTableNames();
  let client: DynamoDBClient;
  let store: DynamoDbEventStore;
  const breakGlass = breakGlassClient();
  const document = () => DynamoDBDocumentClient.from(breakGlass);

  beforeAll(async () => {
    client = newClient();
    await provisionTables(client, tables);
    store = new DynamoDbEventStore({
      client,
      tables,
      registry: new EventRegistry().register(Noted),
      deadlineMs: 10_000,
    });
  });

  afterAll(() => [client, breakGlass].forEach((each) => each.destroy()));

  const itemsOf = async (pk: string) =>
    (
      await document().send(
        new QueryCommand({
          TableName: tables.events,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': pk },
        }),
      )
    ).Items as Item[];

  it('keep an event of 200 bytes with all its metadata in one write unit', async () => {
    const aggregateId = randomUUID();
    await store.append({ tenantId: 'tenant-17', aggregateType: 'account', aggregateId }, [new Noted('n'.repeat(189))], {
      expectedVersion: 0,
      metadata: {
        userId: randomUUID(),
        correlationId: randomUUID(),
        causationId: randomUUID(),
        commandId: randomUUID(),
      },
    });
    const [item] = await itemsOf(`tenant-17#account#${aggregateId}`);
    expect(Buffer.byteLength(item!.eventData as string)).toBe(200);
    expect(itemBytes(item!)).toBeLessThanOrEqual(1024);
  });

  it('are measured as DynamoDB measures them', async () => {
    const stream = { aggregateType: 'account', aggregateId: randomUUID() };
    const events = ['short', 'ü'.repeat(600), randomUUID().repeat(300)].map((note) => new Noted(note));
    await store.append(stream, events, { expectedVersion: 0, metadata: { channel: 'web' } });
    for (const item of await itemsOf(`#account#${stream.aggregateId}`)) {
      const { ConsumedCapacity } = await document().send(
        new PutCommand({
          TableName: tables.bookkeeping,
          Item: { ...item, pk: randomUUID(), sk: 'x' },
          ReturnConsumedCapacity: 'TOTAL',
        }),
      );
      expect(Math.abs(ConsumedCapacity!.CapacityUnits! - Math.ceil(itemBytes(item) / 1024))).toBeLessThanOrEqual(0);
    }
  });

  it('spread over the slices of the feed, in the order of time', async () => {
    for (let stream = 0; stream < 40; stream++) {
      await store.append({ aggregateType: 'sliced', aggregateId: `s-${stream}` }, [new Noted('a'), new Noted('b')], {
        expectedVersion: 0,
      });
    }
    const slices = await Promise.all(
      Array.from({ length: FEED_SLICES }, (_, slice) =>
        document().send(
          new QueryCommand({
            TableName: tables.events,
            IndexName: 'feed',
            KeyConditionExpression: 'feedSlice = :slice',
            ExpressionAttributeValues: { ':slice': `sliced#${slice}` },
          }),
        ),
      ),
    );
    const sizes = slices.map(({ Count }) => Count!);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(80);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    for (const { Items } of slices) {
      const versions = new Map<unknown, number>();
      for (const { pk, version } of Items!) {
        expect(version).toBe((versions.get(pk) ?? 0) + 1);
        versions.set(pk, version as number);
      }
    }
  });

  it('go into the user index only with a user, and never as snapshots', async () => {
    const stream = { aggregateType: 'indexed', aggregateId: 'a' };
    await store.append(stream, [new Noted('a')], { expectedVersion: 0, metadata: { userId: 'ada#1' } });
    await store.append(stream, [new Noted('b')], { expectedVersion: 1 });
    await store.saveSnapshot(stream, { version: 2, eventTime: 1, snapshotVersion: 1, state: '{}' });
    const { Items } = await document().send(new ScanCommand({ TableName: tables.events, IndexName: 'user' }));
    expect(
      Items!
        .filter(({ aggregateType }) => aggregateType === 'indexed')
        .map(({ userKey, version }) => [userKey, version]),
    ).toEqual([['#ada#1', 1]]);
    const feed = await document().send(new ScanCommand({ TableName: tables.events, IndexName: 'feed' }));
    expect(feed.Items!.filter(({ aggregateType }) => aggregateType === 'indexed')).toHaveLength(2);
  });

  it('of the first format load for good', async () => {
    const item = {
      pk: '#account#old',
      sk: 1,
      aggregateType: 'account',
      aggregateId: 'old',
      version: 1,
      eventId: '5f0c8f3e-4a0e-4d7e-9d39-0a51d7e9b0aa',
      eventType: 'items.Remarked',
      schemaVersion: 1,
      eventTime: '2026-01-02T03:04:05.678Z',
      eventData: '{"text":"hello"}',
      userId: 'ada',
      metadata: '{"channel":"web"}',
      commitId: 'c-1',
      commitIndex: 0,
      commitSize: 1,
      feedSlice: 'account#1',
      feedPosition: '2026-01-02T03:04:05.678Z#0011223344556677',
      userKey: '#ada',
    };
    const deflated = {
      ...item,
      sk: 2,
      version: 2,
      schemaVersion: 2,
      encoding: 'deflate-raw',
      eventData: Buffer.from('q1bKyy9JVbJSysnPS1eqBQA=', 'base64'),
    };
    for (const Item of [item, deflated]) await document().send(new PutCommand({ TableName: tables.events, Item }));
    const [first, second] = await collect(store.read({ aggregateType: 'account', aggregateId: 'old' }));
    expect(first).toEqual({
      stream: { aggregateType: 'account', aggregateId: 'old' },
      version: 1,
      eventId: item.eventId,
      eventType: 'items.Remarked',
      schemaVersion: 1,
      eventTime: new Date(item.eventTime),
      event: expect.any(Noted),
      metadata: { userId: 'ada', channel: 'web' },
      commitId: 'c-1',
    });
    expect([first!.event, second!.event].map((event) => (event as Noted).note)).toEqual(['hello', 'long']);
  });

  it.each<[string, object, string]>([
    ['an unknown encoding', { encoding: 'brotli' }, 'encoding'],
    ['a missing attribute', { commitId: undefined }, 'commitId'],
    ['damaged data', { eventData: '{"note":"secret"}' }, 'checksum'],
    ['another type', { eventType: 'items.Gone' }, 'checksum'],
    ['another schema version', { schemaVersion: 1 }, 'checksum'],
    ['another time', { eventTime: '2020-01-01T00:00:00.000Z' }, 'checksum'],
    ['another id', { eventId: 'other' }, 'checksum'],
    ['another user', { userId: 'mallory' }, 'checksum'],
    ['other metadata', { metadata: '{"channel":"secret"}' }, 'checksum'],
    ['another commit', { commitId: 'other' }, 'checksum'],
    ['another stream', { aggregateId: 'other' }, 'checksum'],
    ['another tenant', { tenantId: 'other' }, 'checksum'],
    ['damaged bytes, of the first format', { ...FIRST, encoding: 'deflate-raw', eventData: BAD_BYTES }, 'damaged'],
    ['no JSON, of the first format', { ...FIRST, eventData: 'secret' }, 'not JSON'],
    ['an unknown type, of the first format', { ...FIRST, eventType: 'items.Gone' }, 'items.Gone'],
  ])('with %s are an error that says so, and are never skipped', async (name, spoilt, message) => {
    const stream = { aggregateType: 'spoilt', aggregateId: name };
    await store.append(stream, [new Noted('a')], { expectedVersion: 0 });
    const [item] = await itemsOf(`#spoilt#${name}`);
    await DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } }).send(
      new PutCommand({ TableName: tables.events, Item: { ...item, ...spoilt } }),
    );
    await expect(collect(store.read(stream))).rejects.toThrow(message);
    await expect(collect(store.read(stream))).rejects.not.toThrow('secret');
  });

  it('that stands in another place is damaged', async () => {
    const stream = { aggregateType: 'spoilt', aggregateId: 'moved' };
    await store.append(stream, [new Noted('a'), new Noted('b')], { expectedVersion: 0 });
    const [first, second] = await itemsOf('#spoilt#moved');
    for (const [Item, sk] of [
      [first, 2],
      [second, 1],
    ] as const) {
      await document().send(new PutCommand({ TableName: tables.events, Item: { ...Item, sk } }));
    }
    await expect(collect(store.read(stream))).rejects.toThrow('checksum');
  });

  it.each<[string, Item]>([
    ['state', { state: '{"sum":300}' }],
    ['version', { version: 1 }],
    ['snapshotVersion', { snapshotVersion: 3 }],
    ['stateChecksum', { stateChecksum: undefined }],
  ])('with a state whose %s was altered load without it', async (altered, attributes) => {
    const state = { snapshotVersion: 1, state: '{"sum":3}' };
    const streams = ['inline', 'separate'].map((way) => ({ aggregateType: way, aggregateId: altered }));
    const [inline, separate] = streams as [StreamId, StreamId];
    const events = [new Noted('a'), new Noted('b')];
    await store.commit({ appends: [{ stream: inline, events, expectedVersion: 0, state }] });
    await store.append(separate, events, { expectedVersion: 0 });
    await store.saveSnapshot(separate, { ...state, version: 2, eventTime: 1 });
    for (const stream of streams) {
      expect((await store.readSinceSnapshot(stream, 5)).snapshot).toMatchObject(state);
      const item = (await itemsOf(`#${stream.aggregateType}#${altered}`)).at(-1)!;
      // An event's own version is its sort key, which its checksum covers.
      if (stream === inline && 'version' in attributes) continue;
      await DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } }).send(
        new PutCommand({ TableName: tables.events, Item: { ...item, ...attributes } }),
      );
      const since = await store.readSinceSnapshot(stream, 5);
      expect(since.snapshot).toBeUndefined();
      expect((await collect(since.events)).map(({ version }) => version)).toEqual([1, 2]);
    }
  });

  it('10,000 of one stream load in a heap of 64 MB', async () => {
    const [count, BATCH] = [10_000, 25];
    const stream = { aggregateType: 'heap', aggregateId: 'a' };
    const registry = new EventRegistry().register(Ticked);
    const itemOf = (version: number) => {
      const place = { stream, version, eventTime: version, eventId: `e-${version}`, commitId: `c-${version}` };
      const encoded = registry.encode(new Ticked(version, 'x'.repeat(400)));
      return eventItem({ ...encoded, ...place, metadata: {}, commitIndex: 0, commitSize: 1 }, streamKey(stream));
    };
    // Without indexes and a stream, which would take the longest.
    const { TableName, KeySchema, BillingMode } = createTableInput(eventsTable(newTableNames().events));
    const AttributeDefinitions = [
      { AttributeName: 'pk', AttributeType: 'S' as const },
      { AttributeName: 'sk', AttributeType: 'N' as const },
    ];
    await breakGlass.send(new CreateTableCommand({ TableName, KeySchema, BillingMode, AttributeDefinitions }));
    const bare = { ...tables, events: TableName! };
    const starts = Array.from({ length: count / BATCH }, (_, batch) => batch * BATCH + 1);
    // Written as the store would have, some times faster.
    await sideBySide(starts, 8, async (first) => {
      const puts = Array.from({ length: BATCH }, (_, index) => ({ PutRequest: { Item: itemOf(first + index) } }));
      await document().send(new BatchWriteCommand({ RequestItems: { [bare.events]: puts } }));
    });
    const script = `
      import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
      import { DynamoDbEventStore, EventRegistry, EventType } from 'nestjs-dynamodb-event-store';
      class Ticked {}
      EventType('items.Ticked')(Ticked);
      const client = new DynamoDBClient(${JSON.stringify({ endpoint: process.env.DYNAMODB_ENDPOINT, region: 'eu-central-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } })});
      const store = new DynamoDbEventStore({ client, tables: ${JSON.stringify(bare)}, registry: new EventRegistry().register(Ticked), deadlineMs: 10000 });
      let sum = 0;
      for await (const { event } of store.read(${JSON.stringify(stream)})) sum += event.count;
      console.log(sum);
      client.destroy();
    `;
    const args = ['--max-old-space-size=64', '--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(Number(stdout)).toBe((count * (count + 1)) / 2);
  }, 60_000);
});
