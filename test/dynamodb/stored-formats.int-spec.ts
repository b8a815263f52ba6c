import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { DynamoDBDocumentClient, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AggregateRepository,
  CommandContext,
  DynamoDbEventStore,
  EventRegistry,
  EventStore,
  getAggregateRepositoryToken,
  provisionTables,
  UniqueConstraintError,
  type Class,
  type StreamId,
} from '../../src/index.js';
import type { Item } from '../../src/dynamodb/items.js';
import { startApplication, type Application } from '../setup/application.js';
import { collect } from '../setup/collect.js';
import { breakGlassClient, newClient, newTableNames } from '../setup/database.js';
import {
  Deposited,
  InlineAccount,
  Kept,
  LONG_OWNER,
  MONEY,
  Opened,
  PlainAccount,
  SnapshotAccount,
  valuesOfEveryKind,
  writeEveryItem,
} from '../setup/every-item.js';

interface StoredFormat {
  readonly events: readonly Item[];
  readonly bookkeeping: readonly Item[];
}

const FOLDER = 'test/fixtures/formats';
const FORMATS = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -5))
  .toSorted();

const formatOf = (name: string) =>
  JSON.parse(readFileSync(`${FOLDER}/${name}.json`, 'utf8'), (_, value: { $bytes?: string } | null) =>
    value?.$bytes === undefined ? value : new Uint8Array(Buffer.from(value.$bytes, 'base64')),
  ) as StoredFormat;

function textOf(format: StoredFormat): string {
  const marked = function (this: Item, key: string, value: unknown): unknown {
    const bytes = this[key];
    return bytes instanceof Uint8Array ? { $bytes: Buffer.from(bytes).toString('base64') } : value;
  };
  return `${JSON.stringify(format, marked, 2)}\n`;
}

/** What stands in the items of the stream "all#1" of tenant "acme". */
const EXPECTED: Readonly<Record<string, { ids: string[]; commits: [string, string]; times: string[] }>> = {
  '1-first': {
    ids: [
      'ac884435-23a5-4abf-b86e-2b2cfcf9b28d',
      '99ef38e7-f475-4761-bbe1-0560137cf1a8',
      '143f57e0-1574-4d00-8cee-19e8db7917cc',
    ],
    commits: ['f85c690b-f7e7-4ee5-8b70-cb567a90e5de', 'a87013db-a7ed-406d-aeb2-4a29f6a7ad47'],
    times: ['2026-11-21T11:46:32.009Z', '2026-11-21T11:46:32.424Z', '2026-11-21T11:46:32.425Z'],
  },
  '2-checksums': {
    ids: [
      '750a3932-d1d9-43a8-97fa-bc50d4d6c7b4',
      'e947b5d5-1511-4059-b1f7-2ba826e8813a',
      '65a01f29-b8ce-48ec-896f-21a1b57d7cc2',
    ],
    commits: ['0ea7138e-6ecc-4952-bc48-8344c33429df', 'b3e1c590-c6ac-4492-ac73-a206e94d69de'],
    times: ['2026-11-21T11:46:33.585Z', '2026-11-21T11:46:33.609Z', '2026-11-21T11:46:33.610Z'],
  },
  '3-tenants-and-bookkeeping': {
    ids: [
      '62f1bb4a-c58f-448f-ae3b-7ec27948fd12',
      '8190cfd4-e1d0-4fad-b14a-9547cee277a4',
      'a4ff8f14-4a72-4790-8ea0-7399eaf18f82',
    ],
    commits: ['4f7dda32-1ba6-4c5e-b5f4-0c0ce5680f9c', '3cf95072-56f2-4b88-87dd-69163da5dea5'],
    times: ['2026-11-21T11:46:34.030Z', '2026-11-21T11:46:34.045Z', '2026-11-21T11:46:34.046Z'],
  },
};

describe.each(FORMATS)('items of the format %s', (name) => {
  const client = newClient();
  const document = DynamoDBDocumentClient.from(client);
  const tables = newTableNames();
  const format = formatOf(name);
  let application: Application;

  beforeAll(async () => {
    await provisionTables(client, tables);
    for (const Item of format.events) await document.send(new PutCommand({ TableName: tables.events, Item }));
    for (const Item of format.bookkeeping) await document.send(new PutCommand({ TableName: tables.bookkeeping, Item }));
    application = await startApplication('dynamodb', {
      features: [PlainAccount, InlineAccount, SnapshotAccount],
      options: { client, tables, provision: false, valueTypes: [MONEY], snapshots: { wait: true } },
    });
  });

  afterAll(async () => {
    await application.close();
    client.destroy();
  });

  const store = () => application.module.get(EventStore);
  const accounts = <T extends PlainAccount>(aggregate: Class<T>) =>
    application.module.get<AggregateRepository<T>>(getAggregateRepositoryToken(aggregate), { strict: false });
  const read = (stream: StreamId) => collect(store().read(stream));

  it('give the events with all of their metadata', async () => {
    const stream = { tenantId: 'acme', aggregateType: 'format-account', aggregateId: 'all#1' };
    const { ids, commits, times } = EXPECTED[name]!;
    const metadata = {
      userId: 'ada',
      correlationId: 'cor-1',
      causationId: 'cau-1',
      commandId: 'com-1',
      channel: 'web',
    };
    const common = { stream, schemaVersion: 1 };
    expect(await read(stream)).toEqual(
      [
        { ...common, version: 1, eventType: 'formats.Opened', eventId: ids[0], commitId: commits[0], metadata },
        { ...common, version: 2, eventType: 'formats.Deposited', eventId: ids[1], commitId: commits[1], metadata: {} },
        { ...common, version: 3, eventType: 'formats.Deposited', eventId: ids[2], commitId: commits[1], metadata: {} },
      ].map((event, index) => ({ ...event, eventTime: new Date(times[index]!), event: expect.any(Object) })),
    );
    expect((await read(stream)).map(({ event }) => event)).toStrictEqual([
      Object.assign(Object.create(Opened.prototype) as Opened, { owner: 'Ada' }),
      Object.assign(Object.create(Deposited.prototype) as Deposited, { amount: 5 }),
      Object.assign(Object.create(Deposited.prototype) as Deposited, { amount: 7 }),
    ]);
  });

  it('give a deflated event, and a value of every kind', async () => {
    const [deflated] = await read({ aggregateType: 'format-account', aggregateId: 'deflated' });
    expect({ ...deflated!.event }).toEqual({ owner: 'Ada Lovelace, '.repeat(200) });
    const [kept] = await read({ aggregateType: 'format-account', aggregateId: 'kinds' });
    expect(isDeepStrictEqual((kept!.event as Kept).values, valuesOfEveryKind())).toBe(true);
  });

  it('are loaded, appended to and found', async () => {
    await CommandContext.run({ tenantId: 'acme' }, async () => {
      const account = await accounts(PlainAccount).load('all#1');
      expect(account).toMatchObject({ version: 3, owner: 'Ada', balance: 12 });
      account.deposit(1);
      await accounts(PlainAccount).save(account);
      expect(await accounts(PlainAccount).load('all#1')).toMatchObject({ version: 4, balance: 13 });
      expect(await collect(store().query({ userId: 'ada' }))).toHaveLength(1);
    });
    const opened = store().query({ aggregateType: 'format-account', eventTypes: ['formats.Opened'] });
    const owners = (await collect(opened)).map(({ event }) => (event as Opened).owner);
    expect(owners).toEqual(expect.arrayContaining(['Bob', LONG_OWNER]));
  });

  it('give states where they have a checksum, and are loaded right in any case', async () => {
    const usable = format.events.some((item) => 'stateChecksum' in item);
    const inline = await accounts(InlineAccount).load('inline');
    expect(inline).toMatchObject({ version: 2, owner: 'Cy', balance: 3 });
    expect(inline.applied).toBe(usable ? 0 : 2);
    for (const context of [{}, { tenantId: 'acme' }]) {
      await CommandContext.run(context, async () => {
        const separate = await accounts(SnapshotAccount).load('sep');
        expect(separate).toMatchObject({ version: 2, owner: 'Cy', balance: 3 });
        expect(separate.applied).toBe(usable ? 0 : 2);
      });
    }
  });

  if (format.bookkeeping.length > 0) {
    it('give what was kept of commands, and hold unique values', async () => {
      const find = (key: string, tenantId?: string) =>
        store().findIdempotencyRecord({ command: 'formats.Open', key, ...(tenantId !== undefined && { tenantId }) });
      const common = { command: 'formats.Open', fingerprint: 'f-1', expiresAt: 4_102_444_800_000 };
      expect(await find('text', 'acme')).toMatchObject({ ...common, tenantId: 'acme', result: '{"value":5}' });
      const bytes = Buffer.from('q1YqS8wpTVWyMqsFAA==', 'base64');
      const found = await find('bytes');
      expect(found).toMatchObject({ ...common, key: 'bytes' });
      expect(Buffer.from(found!.result as Uint8Array).equals(bytes)).toBe(true);
      expect(await find('none')).not.toHaveProperty('result');
      expect(await find('text')).toBeUndefined();

      const reserve = (value: string, tenantId?: string) => {
        const stream = {
          ...(tenantId !== undefined && { tenantId }),
          aggregateType: 'format-account',
          aggregateId: 'x',
        };
        return store().commit({
          appends: [{ stream, events: [new Opened('Eve')], expectedVersion: 0 }],
          unique: [{ action: 'reserve', stream, constraint: 'email', value }],
        });
      };
      await expect(reserve('bytes@example.org')).rejects.toThrow(UniqueConstraintError);
      await expect(reserve('text@example.org', 'acme')).rejects.toThrow(UniqueConstraintError);
      await reserve('free@example.org');
    });
  }
});

/** Random or of the clock; what deflating gives may differ from one zlib to another. */
const VARYING = ['eventId', 'commitId', 'eventTime', 'feedPosition', 'checksum', 'stateChecksum'];

const shapes = (items: readonly Item[]) =>
  Object.fromEntries(
    items.map((item) => {
      const shown = (name: string, value: unknown) => {
        if (value instanceof Uint8Array) return 'bytes';
        return VARYING.includes(name) ? typeof value : value;
      };
      const attributes = Object.entries(item).map(([name, value]) => [name, shown(name, value)] as const);
      return [`${String(item.pk)} ${String(item.sk)}`, Object.fromEntries(attributes)];
    }),
  );

describe('the items that are written now', () => {
  it('are those of the newest format among the fixtures', async () => {
    const client = newClient();
    const tables = newTableNames();
    await provisionTables(client, tables);
    const registry = new EventRegistry({ valueTypes: [MONEY] }).register(Opened, Deposited, Kept);
    await writeEveryItem(new DynamoDbEventStore({ client, tables, registry, deadlineMs: 10_000 }));
    const breakGlass = breakGlassClient();
    const scan = async (TableName: string) =>
      (await DynamoDBDocumentClient.from(breakGlass).send(new ScanCommand({ TableName }))).Items as Item[];
    const written = { events: await scan(tables.events), bookkeeping: await scan(tables.bookkeeping) };
    for (const each of [client, breakGlass]) each.destroy();
    const { NEW_FORMAT } = process.env;
    if (NEW_FORMAT) writeFileSync(`${FOLDER}/${NEW_FORMAT}.json`, textOf(written), { flag: 'wx' });
    const newest = formatOf(NEW_FORMAT ?? FORMATS.at(-1)!);
    expect(shapes(written.events)).toEqual(shapes(newest.events));
    expect(shapes(written.bookkeeping)).toEqual(shapes(newest.bookkeeping));
  });
});
