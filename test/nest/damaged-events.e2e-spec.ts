import { randomUUID } from 'node:crypto';
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ANY_VERSION,
  CorruptStreamError,
  EventStore,
  On,
  Projection,
  Subscriptions,
  type ParkedEvent,
  type ProjectionContext,
  type ProjectionOptions,
  type TableNames,
} from '../../src/index.js';
import { eventItem, storedEventFrom } from '../../src/dynamodb/items.js';
import { streamKey, type StreamId } from '../../src/event/stream-id.js';
import { startApplication, type Application } from '../setup/application.js';
import { Account, MoneyDeposited } from '../setup/bank.js';
import { breakGlassClient, newTableNames } from '../setup/database.js';
import { until } from '../setup/until.js';

const FAST = { marginMs: 5, pollMs: 10, backtrackMs: 1500, leaseMs: 1500 };

describe('an event in the table that cannot be read', () => {
  const client = breakGlassClient();
  const documents = DynamoDBDocumentClient.from(client);
  let application: Application;
  let tables: TableNames;
  let name: string;
  let seen: { readonly stream: StreamId; readonly version: number }[];

  const subscriptions = () => application.module.get(Subscriptions);
  const parked = () => subscriptions().parked(name);
  const table = () => tables.events;
  const seenOf = (id: string) => seen.filter(({ stream }) => stream.aggregateId === id).map(({ version }) => version);

  async function start(options: ProjectionOptions): Promise<void> {
    name = `seen-${randomUUID()}`;
    seen = [];
    tables = newTableNames();
    const into = seen;
    @Projection(name, { attempts: 2, ...options })
    class Seen {
      @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded: { stream, version } }: ProjectionContext): void {
        into.push({ stream, version });
      }
    }
    application = await startApplication('dynamodb', {
      features: [Account],
      providers: [Seen],
      options: { tables, subscriptions: FAST },
    });
    await subscriptions().pause(name);
  }

  async function write(id: string, events: number): Promise<StreamId> {
    const stream = { aggregateType: 'test-account', aggregateId: id };
    const deposits = Array.from({ length: events }, (_, index) => new MoneyDeposited(index));
    await application.module.get(EventStore).append(stream, deposits, { expectedVersion: ANY_VERSION });
    return stream;
  }

  /** Changes the data of an event, and tells how to undo that. */
  async function damage(stream: StreamId, version: number): Promise<() => Promise<unknown>> {
    const key = { pk: streamKey(stream), sk: version };
    const set = async (eventData: unknown) => {
      const { Attributes } = await documents.send(
        new UpdateCommand({
          TableName: table(),
          Key: key,
          UpdateExpression: 'SET eventData = :data',
          ExpressionAttributeValues: { ':data': eventData },
          ReturnValues: 'UPDATED_OLD',
        }),
      );
      return Attributes!.eventData as unknown;
    };
    const before = await set('{"amount":1000000}');
    return () => set(before);
  }

  afterEach(() => application.close());
  afterAll(() => client.destroy());

  describe.each([1, 25])('in batches of %d', (batch) => {
    beforeEach(() => start({ batch }));

    it('holds up its aggregate alone, until it is restored and retried', async () => {
      const stream = await write('a', 3);
      const restore = await damage(stream, 2);
      await write('b', 3);
      await subscriptions().resume(name);
      await until(async () => (await parked()).length > 0 && seenOf('b').length === 3);
      const [event] = (await parked()) as [ParkedEvent];
      expect(event).toMatchObject({ stream, version: 2, fromVersion: 2, eventId: '', eventType: '', attempts: 2 });
      expect(event.error).toMatchObject({ name: 'CorruptStreamError', message: expect.stringContaining('damaged') });
      await write('a', 1);
      await write('b', 1);
      await until(() => seenOf('b').length === 4);
      expect(seenOf('a')).toEqual([1]);
      expect(await subscriptions().status(name)).toMatchObject({ state: 'running', parked: 1 });
      await restore();
      await subscriptions().retry(event);
      await until(() => seenOf('a').length === 4);
      expect(seenOf('a')).toEqual([1, 2, 3, 4]);
    });

    it('is left out where that is asked for', async () => {
      await damage(await write('a', 3), 2);
      await subscriptions().resume(name);
      await until(async () => (await parked()).length > 0);
      await subscriptions().discard((await parked())[0]!);
      await until(() => seenOf('a').length === 2);
      expect(seenOf('a')).toEqual([1, 3]);
      await until(async () => (await parked()).length === 0);
    });
  });

  it('is skipped where events that fail are', async () => {
    await start({ poison: 'skip' });
    await damage(await write('a', 3), 2);
    await subscriptions().resume(name);
    await until(async () => seenOf('a').length === 2 && (await parked()).length === 1);
    expect(seenOf('a')).toEqual([1, 3]);
  });

  it('stops the subscription where events that fail do, until it is left out', async () => {
    await start({ poison: 'stop-subscription' });
    await damage(await write('a', 3), 2);
    await subscriptions().resume(name);
    await until(async () => (await subscriptions().status(name)).state === 'stopped');
    expect(seenOf('a')).toEqual([1]);
    await subscriptions().discard((await parked())[0]!);
    await subscriptions().resume(name);
    await until(() => seenOf('a').length === 2);
    expect(seenOf('a')).toEqual([1, 3]);
  });

  it('is none where the key is not that of an event', async () => {
    await start({});
    const [first] = (await itemsOf(await write('a', 1))) as [Record<string, unknown>];
    const strangers = [
      { pk: 'settings', sk: 1 },
      { pk: '#test-account', sk: 1 },
      { pk: '#test-account#x#y', sk: 1 },
      { pk: '#test-account#%20', sk: 1.5 },
      { pk: '#test-account#z', sk: 0 },
    ];
    for (const key of strangers) {
      const { feedSlice, feedPosition } = first;
      await documents.send(new PutCommand({ TableName: table(), Item: { ...key, feedSlice, feedPosition } }));
    }
    await write('a', 1);
    await subscriptions().resume(name);
    await until(() => seenOf('a').length === 2);
    expect(await parked()).toEqual([]);
    expect(seen).toHaveLength(2);
  });

  it('is one that was deleted, when nothing is known of its aggregate but what comes behind it', async () => {
    await start({});
    const stream = await write('a', 3);
    await documents.send(new DeleteCommand({ TableName: table(), Key: { pk: streamKey(stream), sk: 1 } }));
    await write('b', 1);
    await subscriptions().resume(name);
    await until(async () => (await parked()).length > 0 && seen.length > 0);
    expect(await parked()).toMatchObject([{ stream, fromVersion: 1 }]);
    expect(seenOf('a')).toEqual([]);
  });

  it('is one before those that are new, of which nothing is known', async () => {
    await start({ attempts: 1 });
    const stream = await write('a', 3);
    await damage(stream, 1);
    await subscriptions().reset(name, await timeOf(stream, 2));
    await subscriptions().resume(name);
    await until(async () => (await parked()).length > 0);
    expect(await parked()).toMatchObject([{ stream, version: 2, fromVersion: 1 }]);
  });

  it('ends a loop that pulls events, behind those before it', async () => {
    await start({});
    await damage(await write('a', 3), 2);
    const handled: number[] = [];
    const subscription = application.module
      .get(EventStore)
      .subscribe({ name: 'pulled', aggregateTypes: ['test-account'] });
    const loop = async () => {
      for await (const recorded of subscription) {
        handled.push(recorded.version);
        subscription.ack(recorded);
      }
    };
    await expect(loop()).rejects.toThrow(CorruptStreamError);
    expect(handled).toEqual([1]);
  });

  it('keeps others from no list of what is pending', async () => {
    await start({});
    const others = Array.from({ length: 8 }, (_, index) => `b-${index}`);
    await damage(await write('a', 2), 1);
    await subscriptions().resume(name);
    await until(async () => (await parked()).length > 0);
    await subscriptions().pause(name);
    for (const id of others) await write(id, 1);
    const pending: string[] = [];
    const list = async () => {
      for await (const { stream } of subscriptions().pending(name)) pending.push(stream.aggregateId);
    };
    await expect(list()).rejects.toThrow(CorruptStreamError);
    expect(pending.toSorted()).toEqual(others);
  });

  it.each(['before', 'behind'])('is none where a whole page has no keys of events: %s others', async (where) => {
    await start({});
    const stream = await write('a', 1);
    const [first] = (await itemsOf(stream)) as [Record<string, unknown>];
    const { feedSlice, feedPosition } = first;
    const time = Date.parse(String(feedPosition).slice(0, 24)) + (where === 'before' ? -1000 : 0);
    for (let index = 0; index < 4; index++) {
      const place = `${new Date(time).toISOString()}#ffffffffffffff${index}0`;
      const item = { pk: `settings-${index}`, sk: 1, feedSlice, feedPosition: place, eventData: 'x'.repeat(390_000) };
      await documents.send(new PutCommand({ TableName: table(), Item: item }));
    }
    if (where === 'behind') await write('a', 1);
    expect(await subscriptions().status(name)).toMatchObject({ lag: { events: where === 'before' ? 1 : 2 } });
    await subscriptions().resume(name);
    await until(() => seenOf('a').length === (where === 'before' ? 1 : 2));
    expect(await parked()).toEqual([]);
  });

  it('is that of a tenant under the key of another, however well it is made', async () => {
    await start({});
    const victim = { tenantId: 'acme', aggregateType: 'test-account', aggregateId: 'safe' };
    const own = { ...victim, tenantId: 'mallory' };
    await application.module.get(EventStore).append(victim, [new MoneyDeposited(1)], { expectedVersion: 0 });
    const [genuine] = await itemsOf(victim);
    const forged = { ...storedEventFrom(genuine!), version: 2 };
    await documents.send(new PutCommand({ TableName: table(), Item: eventItem(forged, streamKey(own)) }));
    await subscriptions().resume(name);
    await until(async () => (await parked()).length > 0);
    expect(await parked()).toMatchObject([{ stream: own, version: 2, fromVersion: 1 }]);
    await application.module.get(EventStore).append(victim, [new MoneyDeposited(2)], { expectedVersion: 1 });
    await until(() => seen.length === 2);
    expect(seen).toEqual([
      { stream: victim, version: 1 },
      { stream: victim, version: 2 },
    ]);
  });

  async function timeOf(stream: StreamId, version: number): Promise<Date> {
    return new Date(String((await itemsOf(stream))[version - 1]!.eventTime));
  }

  async function itemsOf(stream: StreamId): Promise<Record<string, unknown>[]> {
    const { Items } = await documents.send(
      new QueryCommand({
        TableName: table(),
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': streamKey(stream) },
      }),
    );
    return Items!;
  }
});
