import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { Codec } from '../../src/event/codec.js';
import { UnserializableEventError, type ValueType } from '../../src/index.js';

class Money {
  constructor(
    readonly cents: number,
    readonly currency: string,
  ) {}
}

const moneyType: ValueType<Money> = {
  name: 'money',
  type: Money,
  write: ({ cents, currency }) => [cents, currency],
  read: (written) => new Money(...(written as [number, string])),
};

const codec = new Codec([moneyType]);
const roundTrip = (value: unknown) => codec.decode(codec.encode({ value }, 'test')).value;

const nested = (depth: number): unknown => (depth === 0 ? 'end' : { deeper: nested(depth - 1) });

describe('the codec gives back the same value and type', () => {
  it.each<[string, unknown]>([
    ['text', 'ünï😀\u0000"\\\u2028'],
    ['numbers', [0, 1.5, -1, 5e-324, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, 0.1 + 0.2]],
    ['null and booleans', [null, true, false]],
    ['undefined in arrays and fields', [undefined, { a: undefined }]],
    ['Date', [new Date(0), new Date(-1), new Date(8.64e15), new Date('2026-02-03T04:05:06.789Z')]],
    ['bigint', [0n, -1n, 2n ** 200n]],
    [
      'Map',
      new Map<unknown, unknown>([
        ['a', 1],
        [{ key: 1 }, new Map([[1n, new Set([1])]])],
      ]),
    ],
    ['Set', new Set([1, 'a', new Date(5)])],
    ['Uint8Array', new Uint8Array([0, 255, 128])],
    ['Buffer', Buffer.from('hello')],
    ['an object with a key $', { $: 'date', v: 'no date' }],
    ['an object that looks like a tag inside one', { $: { $: 'undefined' }, other: { $: 'hole' } }],
    ['a registered class', [new Money(5, 'EUR'), { price: new Money(7, 'USD') }]],
    ['empty things', [{}, [], '', new Map(), new Set(), new Uint8Array()]],
    ['the same object twice', ((shared) => [shared, shared])({ a: 1 })],
    ['400 levels', nested(400)],
  ])('%s', (_, value) => {
    expect(roundTrip(value)).toStrictEqual(value);
  });

  it('negative zero', () => {
    expect(Object.is(roundTrip(-0), -0)).toBe(true);
    expect(Object.is((roundTrip([{ zero: -0 }]) as [{ zero: number }])[0].zero, -0)).toBe(true);
  });

  it('Buffer and Uint8Array, each as its own type', () => {
    expect(Buffer.isBuffer(roundTrip(Buffer.from([1])))).toBe(true);
    expect(Buffer.isBuffer(roundTrip(new Uint8Array([1])))).toBe(false);
    expect(roundTrip(Buffer.from('long text').subarray(2, 5))).toEqual(Buffer.from('ng '));
  });

  it('holes in arrays', () => {
    const array = [1, , 3, ,] as unknown[]; // oxlint-disable-line no-sparse-arrays -- this is what is tested
    const back = roundTrip(array) as unknown[];
    expect(back).toHaveLength(4);
    expect(Object.keys(back)).toEqual(['0', '2']);
  });

  it('objects without a prototype', () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1, $: 2 });
    const back = roundTrip(bare) as object;
    expect(Object.getPrototypeOf(back)).toBeNull();
    expect({ ...back }).toEqual({ a: 1, $: 2 });
  });

  it('keys that name parts of prototypes, with no effect on any', () => {
    const hostile = JSON.parse(
      '{"__proto__":{"polluted":true,"when":{"$":1}},"constructor":{"prototype":{"polluted":true}}}',
    );
    const back = roundTrip(hostile) as object;
    expect(Object.keys(back)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(Object.getOwnPropertyDescriptor(back, '__proto__')!.value).toEqual({ polluted: true, when: { $: 1 } });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('values of another realm', () => {
    const foreign = runInNewContext('({ at: new Date(7), map: new Map([[1, [2]]]), plain: { a: 1 } })') as object;
    expect(roundTrip(foreign)).toEqual({ at: new Date(7), map: new Map([[1, [2]]]), plain: { a: 1 } });
  });

  it('as text that other programs can read', () => {
    expect(codec.encode({ amount: 5, note: 'a', tags: ['x'] }, 'test')).toBe('{"amount":5,"note":"a","tags":["x"]}');
  });
});

describe('the codec refuses what would not come back, with its path', () => {
  class Line {}
  class Instant extends Date {}
  const cycle: Record<string, unknown> = {};
  cycle.self = { again: [cycle] };
  const named = Object.assign([1], { total: 1 });

  it.each<[string, unknown, string]>([
    ['NaN', { a: [0, Number.NaN] }, '$.value.a[1]'],
    ['Infinity', -Infinity, '$.value'],
    ['a function', { f: () => 1 }, '$.value.f'],
    ['a symbol', [Symbol('s')], '$.value[0]'],
    ['a cycle', cycle, '$.value.self.again[0]'],
    ['a class instance', { line: new Line() }, '$.value.line'],
    ['a subclass of Date', new Instant(), '$.value'],
    ['an invalid date', new Date(Number.NaN), '$.value'],
    ['a lone surrogate', { 'some key': 'a\ud800' }, '$.value["some key"]'],
    ['a lone surrogate in a key', { ['\udc00']: 1 }, '$.value["\ufffd"]'],
    ['a regular expression', /a/, '$.value'],
    ['an error', new Error('no'), '$.value'],
    ['boxed text', Object('a'), '$.value'],
    ['other typed arrays', new Float64Array(1), '$.value'],
    ['a symbol key', { [Symbol('k')]: 1 }, '$.value'],
    ['a hidden property', Object.defineProperty({}, 'hidden', { value: 1 }), '$.value'],
    ['a getter', { get now() { return 1; } }, '$.value.now'], // prettier-ignore
    ['an array with named properties', named, '$.value'],
    ['a Map with properties', Object.assign(new Map(), { a: 1 }), '$.value'],
    ['a value inside a Map, without its key', new Map([['secret@example.com', Number.NaN]]), '$.value[0]'],
    ['a value inside a Set', new Set([1, Number.NaN]), '$.value[1]'],
    ['600 levels', nested(600), expect.stringContaining('$.value.deeper.deeper') as unknown as string],
    ['a sparse array without end', [Object.assign([], { length: 1e9 })], '$.value[0]'],
    [
      'data that multiplies',
      Array.from({ length: 30 }).reduce<unknown>((part) => [part, part], 1),
      expect.any(String) as unknown as string,
    ],
    ['a promise', Promise.resolve(), '$.value'],
    ['bytes with a name', Object.assign(Buffer.from('a'), { title: 'b' }), '$.value'],
    ['a proxy of a class instance', new Proxy(new Line(), {}), '$.value'],
  ])('%s', (_, value, path) => {
    let error: unknown;
    try {
      codec.encode({ value }, 'test.Event');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UnserializableEventError);
    expect(error).toMatchObject({ subject: 'test.Event', path, code: 'UNSERIALIZABLE_EVENT' });
    expect((error as Error).message).not.toContain('secret@example.com');
  });

  it('a symbol key of the event itself', () => {
    expect(() => codec.encode({ [Symbol('k')]: 1 }, 'test')).toThrow(UnserializableEventError);
  });
});

describe('the codec and damaged text', () => {
  it.each([
    '',
    '{',
    'null',
    '[1]',
    '5',
    '{"a":{"$":"bigint","v":"x"}}',
    '{"a":{"$":"map","v":5}}',
    '{"a":{"$":"@other"}}',
    '{"a":{"$":"new"}}',
  ])('says that %j is damaged, without quoting it', (text) => {
    expect(() => codec.decode(text)).toThrow(expect.objectContaining({ code: 'CORRUPT_STREAM' }) as unknown as Error);
  });

  it('never quotes stored text', () => {
    expect(() => codec.decode('{"card":"4111-1111')).toThrow(/^((?!4111).)*$/s);
  });
});

describe('the codec refuses events whose data it cannot see', () => {
  it.each<[string, object]>([
    ['a Map', new Map([[1, 2]])],
    ['an array', [1]],
    ['an error', new Error('text')],
    ['a hidden property', Object.defineProperty({}, 'amount', { value: 5 })],
  ])('%s', (_, event) => {
    expect(() => codec.encode(event, 'test')).toThrow(UnserializableEventError);
  });
});

it('a tree refuses an object that stands in two places', () => {
  const shared = { a: 1 };
  expect(() => codec.encodeTree({ x: shared, y: [shared] }, 'test')).toThrow('two places');
  expect(codec.decode(codec.encodeTree({ x: { a: 1 }, y: [{ a: 1 }] }, 'test'))).toEqual({
    x: { a: 1 },
    y: [{ a: 1 }],
  });
});

it('two value types of one name or class are refused', () => {
  expect(() => new Codec([moneyType, moneyType])).toThrow('registered twice');
});
