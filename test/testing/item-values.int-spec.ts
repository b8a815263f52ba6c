import { NumberValue } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DynamoDbBookkeeping } from '../../src/dynamodb/dynamodb-bookkeeping.js';
import { provisionTables } from '../../src/dynamodb/provision.js';
import { type TableWrite, TableWriteRefusedError } from '../../src/index.js';
import type { Bookkeeping } from '../../src/store/bookkeeping.js';
import { BookkeepingDouble } from '../../src/testing/index.js';
import { breakGlassClient, newTableNames } from '../setup/database.js';

class Row {
  readonly a = 1;
}

class Ledger extends Map<string, number> {}

class Tags extends Set<string> {}

function nested(levels: number): unknown {
  return levels === 0 ? 'end' : { inner: nested(levels - 1) };
}

function nestedList(levels: number): unknown {
  return levels === 0 ? [] : [nestedList(levels - 1)];
}

const cycle: Record<string, unknown> = {};
cycle.self = cycle;

/** A value of each kind that somebody may hand to `context.transaction`. */
const VALUES: Readonly<Record<string, unknown>> = {
  'a text': 'a',
  'an empty text': '',
  'half a character': '\ud800',
  'a number': 0.1,
  'minus zero': -0,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  'the largest safe number': Number.MAX_SAFE_INTEGER,
  'a number that is not exact': 2 ** 53,
  'a negative number that is not exact': -(2 ** 53),
  'the smallest number': 1e-130,
  'a number that is too small': 1e-131,
  'a negative number that is too small': -1e-200,
  'a bigint': 5n,
  'a bigint of 38 digits': 10n ** 38n - 1n,
  'a bigint of 39 digits': 10n ** 38n + 1n,
  'a large round bigint': 10n ** 125n,
  'a bigint that is too large': 10n ** 126n,
  'a negative bigint': -5n,
  'a NumberValue': NumberValue.from('12345678901234567890'),
  'a NumberValue with a fraction': NumberValue.from('-1.50'),
  'a NumberValue with an exponent': NumberValue.from('1e-5'),
  'a NumberValue of nothing': NumberValue.from(''),
  'a NumberValue of words': NumberValue.from('five'),
  'a NumberValue in hexadecimal digits': NumberValue.from('0x10'),
  'a NumberValue that is too precise': NumberValue.from('0.1234567890123456789012345678901234567891'),
  'a NumberValue of zeros': NumberValue.from('0.000'),
  'a NumberValue of a point': NumberValue.from('.'),
  'a NumberValue of two points': NumberValue.from('1.2.3'),
  'a NumberValue that begins with a point': NumberValue.from('.5'),
  'a NumberValue with a plus': NumberValue.from('+5'),
  'a boolean': true,
  null: null,
  undefined,
  'a function': () => {},
  'a class': Row,
  'a symbol': Symbol('x'),
  'a Number object': Object(5),
  'a Number object of NaN': Object(Number.NaN),
  'a String object': Object('a'),
  'a Boolean object': Object(true),
  'a BigInt object': Object(5n),
  'a Date': new Date(0),
  'a RegExp': /a/,
  'an Error': new Error('x'),
  'a Promise': Promise.resolve(),
  'a URL': new URL('http://localhost'),
  'a WeakMap': new WeakMap(),
  'a class instance': new Row(),
  'a class instance in a map': { row: new Row() },
  'a class instance in a list': [new Row()],
  'a class instance in a Map': new Map([['row', new Row()]]),
  'a list': [1, 'a', null],
  'an empty list': [],
  'a list with undefined': [undefined, 1],
  'a list with a function': [() => {}],
  'a list with NaN': [Number.NaN],
  'a list with an empty Set': [new Set()],
  'a list with gaps': Array.from({ length: 3 }),
  'a map': { a: 1 },
  'an empty map': {},
  'a map with undefined': { a: undefined },
  'a map with a function': { a() {} },
  'a map with NaN': { a: { b: [Number.NaN] } },
  'a map without prototype': Object.assign(Object.create(null) as object, { a: 1 }),
  'a map with an inherited NaN': Object.create({ a: Number.NaN }),
  'a map with a getter that throws': {
    get a(): never {
      throw new Error('x');
    },
  },
  'a map with NaN under a symbol': { [Symbol('a')]: Number.NaN },
  'a map with an attribute called constructor': { constructor: 'a' },
  'a map with an empty name': { '': 1 },
  'a Map': new Map([['a', 1]]),
  'an empty Map': new Map(),
  'a Map with NaN': new Map([['a', Number.NaN]]),
  'a Map with undefined': new Map([['a', undefined]]),
  'a Map with numbers for keys': new Map([[1, 1]]),
  'a class that extends Map': new Ledger([['a', 1]]),
  'an empty Set': new Set(),
  'a Set of undefined': new Set([undefined]),
  'a Set of texts': new Set(['a', 'b']),
  'a Set of texts and undefined': new Set([undefined, 'a']),
  'a Set with an empty text': new Set(['a', '']),
  'a Set of texts and numbers': new Set(['a', 1]),
  'a Set of a text and its number': new Set(['1', 1]),
  'a Set of texts and null': new Set(['a', null]),
  'a Set of numbers': new Set([1, 2]),
  'a Set of numbers and texts': new Set([1, 'a']),
  'a Set of numbers and texts of numbers': new Set([1, '2']),
  'a Set with NaN': new Set([1, Number.NaN]),
  'a Set with a number that is not exact': new Set([1, 2 ** 60]),
  'a Set of numbers and null': new Set([1, null]),
  'a Set of numbers and a Date': new Set([1, new Date(0)]),
  'a Set of a number twice': new Set([1, 1n]),
  'a Set of bigints': new Set([1n, 2n]),
  'a Set of bigints and numbers': new Set([1n, 2]),
  'a Set of bigints and a number that is not exact': new Set([1n, 2 ** 60]),
  'a Set of numbers and large bigints': new Set([1, 2n ** 60n]),
  'a Set of bigints and NaN': new Set([1n, Number.NaN]),
  'a Set of NumberValues': new Set([NumberValue.from('5'), NumberValue.from('6')]),
  'a Set of equal NumberValues': new Set([NumberValue.from('5'), NumberValue.from('5.0')]),
  'a Set of bytes': new Set([new Uint8Array(2)]),
  'a Set of equal bytes': new Set([new Uint8Array(2), new Uint8Array(2)]),
  'a Set of Buffers': new Set([Buffer.from('a')]),
  'a Set of empty bytes': new Set([new Uint8Array(0)]),
  'a Set of bytes and numbers': new Set([new Uint8Array(2), 5]),
  'a Set of ArrayBuffers': new Set([new ArrayBuffer(1)]),
  'a Set of null': new Set([null]),
  'a Set of booleans': new Set([true]),
  'a Set of maps': new Set([{}]),
  'a Set of Sets': new Set([new Set(['a'])]),
  'a Set of Dates': new Set([new Date(0)]),
  'a class that extends Set': new Tags(['a']),
  bytes: new Uint8Array(3),
  'no bytes': new Uint8Array(0),
  'a Buffer': Buffer.from('a'),
  'an ArrayBuffer': new ArrayBuffer(1),
  'a DataView': new DataView(new ArrayBuffer(1)),
  'a Blob': new Blob(['a']),
  'a SharedArrayBuffer': new SharedArrayBuffer(1),
  'an Int8Array': new Int8Array(1),
  'a Uint8ClampedArray': new Uint8ClampedArray(1),
  'a Float64Array': new Float64Array(1),
  'a BigInt64Array': new BigInt64Array(1),
  'deep maps': nested(31),
  'maps that are too deep': nested(32),
  'deep lists': nestedList(31),
  'lists that are too deep': nestedList(32),
  'what contains itself': cycle,
};

const client = breakGlassClient();
const tables = newTableNames();
const TableName = tables.events;
const real = new DynamoDbBookkeeping({ client, tableName: tables.bookkeeping, deadlineMs: 20_000 });

const stream = { aggregateType: 'account', aggregateId: 'a-1' };
let version = 0;

/** Whether a bookkeeping takes the write of a projection. */
async function takes(bookkeeping: Bookkeeping, write: TableWrite): Promise<boolean> {
  const at = ++version;
  try {
    await bookkeeping.project([{ projection: 'p', stream, fromVersion: at, version: at }], [write]);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(TableWriteRefusedError);
    return false;
  }
}

describe('the double of the bookkeeping and DynamoDB agree on', () => {
  beforeAll(() => provisionTables(client, tables));
  afterAll(() => client.destroy());

  it.each(Object.keys(VALUES))('%s', async (kind) => {
    const write: TableWrite = { Put: { TableName, Item: { pk: 'a', sk: 1, v: VALUES[kind] } } };
    const isTaken = await takes(real, write);
    expect(await takes(new BookkeepingDouble(), write)).toBe(isTaken);
  });
});
