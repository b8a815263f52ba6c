import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it, jest } from '@jest/globals';
import { positionItem, recordFrom, recordItem, uniqueItem } from '../../src/dynamodb/bookkeeping-items.js';
import { DynamoDbConnection } from '../../src/dynamodb/dynamodb-connection.js';
import { eventFrom, eventItem, itemBytes, storedEventFrom, type Item } from '../../src/dynamodb/items.js';
import { SNAPSHOT_SORT_KEY } from '../../src/dynamodb/table.js';
import { CorruptStreamError } from '../../src/index.js';
import { streamKey } from '../../src/event/stream-id.js';
import { positionAt } from '../../src/store/event-feed.js';

const stream = { aggregateType: 'account', aggregateId: 'a#1' };
const ofTenant = { ...stream, tenantId: 'acme%' };

describe('the size of an item', () => {
  // Developer Guide, "DynamoDB item sizes and formats".
  it.each<[string, Item, number]>([
    ['a text, in UTF-8', { ab: 'xü' }, 2 + 3],
    ['bytes', { a: new Uint8Array(5) }, 1 + 5],
    ['null and booleans', { a: null, b: true, c: false }, 3 + 3],
    ['what the client leaves out', { a: undefined }, 1],
    ['a number, by its digits', { a: 12345 }, 1 + 4],
    ['a set', { a: new Set(['x', 'yz']) }, 1 + 3],
    ['a list', { a: ['x', 'yz', 1] }, 1 + 3 + 3 + 1 + 2 + 2],
    ['a map', { a: { bc: 'x' } }, 1 + 3 + 1 + 2 + 1],
  ])('counts %s', (_, item, bytes) => expect(itemBytes(item)).toBe(bytes));
});

describe('an item of the events table', () => {
  const event = {
    stream: ofTenant,
    version: 3,
    eventId: 'e',
    eventType: 'account.Opened',
    schemaVersion: 1,
    eventTime: 1000,
    eventData: '{}',
    metadata: {},
    commitId: 'c',
    commitIndex: 0,
    commitSize: 1,
  };
  const whole = eventItem(event, streamKey(ofTenant));
  const damaged = (change: Item): Item => ({ ...whole, checksum: undefined, ...change });

  it('gives its event', () => {
    expect(storedEventFrom(whole)).toEqual(event);
    expect(eventFrom(whole)).toEqual(event);
  });

  it.each<[string, Item]>([
    ['an encoding of tomorrow', { encoding: 'zstd' }],
    ['no bytes where it says so', { encoding: 'deflate-raw' }],
    ['a version of another kind', { schemaVersion: '1' }],
    ['a time that is none', { eventTime: 'yesterday' }],
    ['no data', { eventData: undefined }],
    ['metadata that are no JSON', { metadata: '{' }],
    ['the key of another stream', { pk: streamKey(stream) }],
    ['a stream that can be none', { aggregateId: '' }],
  ])('is damaged where it has %s', (_, change) => {
    const item = damaged(change);
    expect(() => storedEventFrom(item)).toThrow(CorruptStreamError);
    expect(() => storedEventFrom(item)).toThrow(`pk "${String(item.pk)}", sk 3`);
  });

  it('is still that version of its stream where it is damaged', () => {
    const item = damaged({ eventData: 5 });
    expect(eventFrom(item)).toEqual({ stream: ofTenant, version: 3, eventTime: 1000 });
    expect(eventFrom({ ...item, sk: 1 })).toMatchObject({ version: 1 });
    expect(eventFrom({ ...item, feedPosition: positionAt(2000) })).toMatchObject({ eventTime: 2000 });
    expect((eventFrom({ ...item, feedPosition: undefined }) as typeof event).eventTime).toBeGreaterThan(2000);
  });

  it.each<[string, Item]>([
    ['no key of a stream', { pk: 'account' }],
    ['a key that could be shorter', { pk: '#account#%2F' }],
    ['no key at all', { pk: undefined }],
    ['no version', { sk: 0 }],
    ['half a version', { sk: 1.5 }],
    ['a sort key of another kind', { sk: '1' }],
    ['that of a snapshot', { sk: SNAPSHOT_SORT_KEY }],
  ])('is no event where it has %s', (_, change) => {
    expect(eventFrom(damaged({ eventData: 5, ...change }))).toBeUndefined();
  });
});

describe('items of the bookkeeping table', () => {
  const record = { command: 'Open', key: 'k', fingerprint: 'f', expiresAt: 5000, keyText: 'pk' };

  it('name the tenant, where there is one', () => {
    const position = { projection: 'p', fromVersion: 1, version: 2 };
    const change = { key: 'pk', constraint: 'email', held: true } as never;
    for (const tenantId of ['acme', undefined]) {
      const owned = { ...stream, ...(tenantId && { tenantId }) };
      const items = [
        positionItem({ ...position, stream: owned }, 'w'),
        uniqueItem({ ...(change as object), stream: owned } as never, 'c'),
        recordItem({ ...record, ...(tenantId && { tenantId }) }, 'c'),
      ];
      for (const item of items) {
        expect('tenantId' in item).toBe(tenantId !== undefined);
        expect(item.tenantId).toBe(tenantId);
      }
    }
  });

  it('give a record until it expires', () => {
    const item = recordItem(record, 'c');
    expect(recordFrom(item, 4999)).toEqual({
      command: 'Open',
      key: 'k',
      fingerprint: 'f',
      commitId: 'c',
      expiresAt: 5000,
    });
    expect(recordFrom(item, 5000)).toBeUndefined();
    const rich = { ...record, tenantId: 'acme', result: '{"result":1}' };
    expect(recordFrom(recordItem(rich, 'c'), 0)).toMatchObject({ tenantId: 'acme', result: '{"result":1}' });
  });
});

describe('a connection', () => {
  it('closes the client that it has made, and never one that it was given', () => {
    const given = new DynamoDBClient({ region: 'eu-central-1' });
    const destroyGiven = jest.spyOn(given, 'destroy');
    const connection = new DynamoDbConnection({ client: given });
    expect(connection.client).toBe(given);
    connection.close();
    expect(destroyGiven).not.toHaveBeenCalled();
    for (const options of [{ clientConfig: { region: 'eu-west-1' } }, {}]) {
      const own = new DynamoDbConnection(options);
      const destroy = jest.spyOn(own.client, 'destroy');
      own.close();
      expect(destroy).toHaveBeenCalledTimes(1);
    }
    given.destroy();
  });
});
