import { Random } from '../random.js';
import { transparentProxies } from './photograph.js';
import { Money } from './value-types.js';

/** Values without parts of their own choosing, by the name that a failure prints. Each call makes a new one. */

type Make = (random: Random) => unknown;

class Unregistered {
  name = 'unregistered';
}
class Instant extends Date {}
class List extends Array<unknown> {}
class Dictionary extends Map<unknown, unknown> {}
class Tags extends Set<unknown> {}
class Bytes extends Uint8Array {}
class Failure extends Error {
  readonly detail = { reason: 'none' };
}
class PlainDate {
  readonly #day = 5;
  get [Symbol.toStringTag](): string {
    return 'Temporal.PlainDate';
  }
  toString(): string {
    return `2026-01-0${this.#day}`;
  }
}
/** Classes that took the names of those of the language. */
const FALSE_FRIENDS = {
  Array: class Array extends globalThis.Array<unknown> {},
  Map: class Map extends globalThis.Map<unknown, unknown> {},
  Set: class Set extends globalThis.Set<unknown> {},
  Date: class Date extends globalThis.Date {},
  Uint8Array: class Uint8Array extends globalThis.Uint8Array {},
  Buffer: class Buffer extends globalThis.Uint8Array {},
  Object: class Object {
    name = 'not quite';
  },
};

const argumentsOf: (...values: unknown[]) => unknown = function () {
  return arguments;
};

const THEN = ['t', 'hen'].join('');

const fails = () => {
  throw new Error('This must not be called.');
};

const PRIMITIVES: Readonly<Record<string, Make>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  NaN: () => Number.NaN,
  Infinity: () => Infinity,
  '-Infinity': () => -Infinity,
  '-0': () => -0,
  'a number': (random) => (random.next() - 0.5) * 10 ** random.below(300),
  'a whole number': (random) => random.below(2 ** 32) * random.below(2 ** 20),
  'the smallest number': () => 5e-324,
  'the largest number': () => Number.MAX_VALUE,
  'a bigint': (random) => BigInt(random.below(1000)) - 500n,
  'a long bigint': (random) => 2n ** BigInt(random.below(3000)) - 1n,
  'a symbol': () => Symbol('s'),
  'a registered symbol': () => Symbol.for('s'),
  'text like a tag': (random) => random.pick(['$', '{"$":"date"}', '{"$":"undefined"}', '@money', 'hole']),
  'text with controls': () => '\u0000\u0007\u2028\u2029"\\/\uFEFF\u202e',
  'text beyond the basic plane': () => '😀👩‍👩‍👧‍👦𝒳é',
  'a lone high surrogate': () => 'a\uD83D',
  'a lone low surrogate': () => '\uDE00b',
  'swapped surrogates': () => '\uDE00\uD83D',
  'text of random code units': (random) =>
    String.fromCharCode(...Array.from({ length: random.below(6) }, () => random.below(0x10000))),
  'text near 1 KB': (random) =>
    random.pick(['a', 'ß', '€', '😀']).repeat(random.below(60) + 1) + 'x'.repeat(970 + random.below(60)),
  'long text': (random) => 'long and easily compressed '.repeat(random.below(40_000)),
};

const NOT_DATA: Readonly<Record<string, Make>> = {
  'a function': () => () => 1,
  'an async function': () => async () => 1,
  'a class': () => class {},
  'a generator function': () => function* () {},
  'a generator': () => (function* () { yield 1; })(), // prettier-ignore
  'a promise': () => Promise.resolve({ a: 1 }),
  'a weak map': () => new WeakMap(),
  'a weak set': () => new WeakSet(),
  'a weak reference': () => new WeakRef({}),
  'a regular expression': () => /a+/g,
  'an error': () => new Error('text'),
  'an error of a class': () => new Failure('text'),
  'an error of errors': () => new AggregateError([new TypeError('one')], 'several'),
  'boxed text': () => Object('text') as unknown,
  'a boxed number': () => Object(5) as unknown,
  'a boxed boolean': () => Object(false) as unknown,
  'a boxed bigint': () => Object(5n) as unknown,
  'a boxed symbol': () => Object(Symbol('s')) as unknown,
  'an ArrayBuffer': () => new ArrayBuffer(8),
  'a SharedArrayBuffer': () => new SharedArrayBuffer(8),
  'a DataView': () => new DataView(new ArrayBuffer(8)),
  'a Float64Array': () => new Float64Array([1, -0, Number.NaN]),
  'a BigInt64Array': () => new BigInt64Array([1n]),
  'a Uint8ClampedArray': () => new Uint8ClampedArray([1, 255]),
  'an Int8Array': () => new Int8Array([-1]),
  arguments: () => argumentsOf(1, 2),
  'a map iterator': () => new Map([[1, 2]]).entries(),
  'a date format': () => new Intl.DateTimeFormat('en'),
  'a number format': () => new Intl.NumberFormat('en'),
  'a date without a zone': () => new PlainDate(),
  'a URL': () => new URL('http://127.0.0.1/'),
  'URL parameters': () => new URLSearchParams('a=1'),
  'an abort signal': () => new AbortController().signal,
  Math: () => Math,
  JSON: () => JSON,
  Intl: () => Intl,
  'an instance of a class': () => new Unregistered(),
  'a date of a class': () => new Instant(0),
  'an array of a class': () => List.from([1]),
  'a map of a class': () => new Dictionary([[1, 2]]),
  'a set of a class': () => new Tags([1]),
  'bytes of a class': () => new Bytes([1]),
  'a Buffer of a class': () => Object.setPrototypeOf(Buffer.from('a'), class extends Buffer {}.prototype) as unknown,
  'an object with a plain prototype': () => Object.create({ inherited: 1 }) as unknown,
  'Object.prototype': () => Object.prototype,
};

/** Classes that look like those of the language, and the language's own under another guise. */
const DISGUISES: Readonly<Record<string, Make>> = {
  'an array of a class named Array': () => FALSE_FRIENDS.Array.from([1]),
  'a map of a class named Map': () => new FALSE_FRIENDS.Map([[1, 2]]),
  'a set of a class named Set': () => new FALSE_FRIENDS.Set([1]),
  'a date of a class named Date': () => new FALSE_FRIENDS.Date(0),
  'bytes of a class named Uint8Array': () => new FALSE_FRIENDS.Uint8Array([1]),
  'bytes of a class named Buffer': () => new FALSE_FRIENDS.Buffer([1]),
  'an instance of a class named Object': () => new FALSE_FRIENDS.Object(),
  ...Object.fromEntries(
    Object.entries<() => object>({
      'a map': () => new Map([[1, 2]]),
      'a set': () => new Set([1]),
      'a date': () => new Date(5),
      bytes: () => new Uint8Array([1]),
      'a promise': () => Promise.resolve(1),
      'a weak map': () => new WeakMap(),
      'boxed text': () => Object('text') as object,
      'a boxed number': () => Object(5) as object,
      'an array': () => [1],
      'a registered instance': () => new Money(1n, 'EUR'),
      'a Buffer': () => Buffer.from('abc'),
      'an ArrayBuffer': () => new ArrayBuffer(4),
      'a generator': () => (function* () {})(),
    }).flatMap(([name, make]): [string, Make][] => [
      [`${name} with the prototype of objects`, () => Object.setPrototypeOf(make(), Object.prototype) as unknown],
      [`${name} without a prototype`, () => Object.setPrototypeOf(make(), null) as unknown],
    ]),
  ),
  'an object with the prototype of maps': () => Object.create(Map.prototype) as unknown,
  'an object with the prototype of arrays': () => Object.create(Array.prototype) as unknown,
  'an object with the prototype of dates': () => Object.create(Date.prototype) as unknown,
};

const PROPERTIES: Readonly<Record<string, Make>> = {
  'a getter': () => ({ get a() { return 1; } }), // prettier-ignore
  'a throwing getter': () => ({ get a() { return fails(); } }), // prettier-ignore
  'a setter': () => ({ b: 1, set a(_: unknown) {} }),
  'a getter and a setter': () => ({ get a() { return 1; }, set a(_: unknown) {} }), // prettier-ignore
  'a getter in an array': () => Object.defineProperty([1, 2], 1, { get: () => 5, enumerable: true }),
  'a throwing getter in an array': () => Object.defineProperty([1, 2], 1, { get: fails, enumerable: true }),
  'a setter in an array': () => Object.defineProperty([1, 2], 0, { set: () => {}, enumerable: true }),
  'a hidden property': () => Object.defineProperty({ a: 1 }, 'hidden', { value: 1 }),
  'a read-only property': () => Object.defineProperty({}, 'a', { value: 1, enumerable: true }),
  'a hidden element': () => Object.defineProperty([1, 2], 1, { value: 1, enumerable: false }),
  'a symbol key': () => ({ [Symbol('key')]: 1 }),
  'a hidden symbol key': () => Object.defineProperty({}, Symbol('key'), { value: 1 }),
  'an array with a property': () => Object.assign([1], { total: 1 }),
  'an array with a property -1': () => Object.assign([1], { '-1': 1 }),
  'an array with a property 1.5': () => Object.assign([1], { '1.5': 1 }),
  'an array with a property beyond all indexes': () => Object.assign([1], { 4294967295: 1 }),
  'an array with a symbol': () => Object.assign([1], { [Symbol('key')]: 1 }),
  'an array that ends in holes': () => Object.assign([1], { length: 4 }),
  'an array of 1,000 holes': () => Object.assign([1], { length: 1001 }),
  'an array of 1,001 holes': () => Object.assign([1], { length: 1002 }),
  'an array without an end': () => Object.assign([1], { length: 2 ** 32 - 1 }),
  'a map with a property': () => Object.assign(new Map([[1, 2]]), { a: 1 }),
  'a map with a hidden property': () => Object.defineProperty(new Map(), 'size', { value: 5 }),
  'a map with entries of its own': () => Object.defineProperty(new Map([[1, 2]]), Symbol.iterator, { value: fails }),
  'a set with a symbol': () => Object.assign(new Set([1]), { [Symbol('key')]: 1 }),
  'a date': (random) => new Date(random.below(2 ** 32) * 1000),
  'the first date': () => new Date(-8.64e15),
  'the last date': () => new Date(8.64e15),
  'an invalid date': () => new Date(Number.NaN),
  'a date with a property': () => Object.assign(new Date(0), { zone: 'UTC' }),
  'a date with a getTime of its own': () => Object.defineProperty(new Date(0), 'getTime', { value: fails }),
  'a date with a toISOString of its own': () => Object.defineProperty(new Date(0), 'toISOString', { value: fails }),
  bytes: (random) => Uint8Array.from({ length: random.below(40) }, () => random.below(256)),
  'no bytes': () => new Uint8Array(),
  'bytes with an offset': () => new Uint8Array(new Uint8Array([1, 2, 3, 4, 5]).buffer, 1, 3),
  'bytes in shared memory': () => new Uint8Array(new SharedArrayBuffer(3)),
  'bytes with a property': () => Object.assign(new Uint8Array([1]), { name: 'a' }),
  'bytes with a hidden property': () => Object.defineProperty(new Uint8Array([1]), 'name', { value: 1 }),
  'bytes with a symbol': () => Object.assign(new Uint8Array([1]), { [Symbol('key')]: 1 }),
  'bytes with a length of their own': () => Object.defineProperty(new Uint8Array([1, 2]), 'byteLength', { value: 1 }),
  'bytes with a buffer of their own': () =>
    Object.defineProperty(new Uint8Array([1, 2]), 'buffer', { value: new ArrayBuffer(2) }),
  'detached bytes': () => {
    const bytes = new Uint8Array([1, 2]);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return bytes;
  },
  'a Buffer': (random) => Buffer.from('x'.repeat(random.below(30))),
  'a Buffer with an offset': () => Buffer.from('long text').subarray(2, 5),
  'a Buffer with a hidden property': () => Object.defineProperty(Buffer.from('a'), 'name', { value: 1 }),
  'a registered instance': (random) => new Money(BigInt(random.below(10 ** 6)), random.pick(['EUR', '', '$'])),
};

const PROXIES: Readonly<Record<string, Make>> = {
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'a revoked proxy of an array': () => {
    const { proxy, revoke } = Proxy.revocable([1], {});
    revoke();
    return proxy;
  },
  ...Object.fromEntries(
    (['get', 'has', 'ownKeys', 'getOwnPropertyDescriptor', 'getPrototypeOf'] as const).flatMap(
      (trap): [string, Make][] => [
        [`a proxy whose ${trap} throws`, () => readable(new Proxy({ a: 1 }, { [trap]: fails }), { a: 1 }, trap)],
        [`a proxy of an array whose ${trap} throws`, () => readable(new Proxy([1], { [trap]: fails }), [1], trap)],
      ],
    ),
  ),
  'a proxy of a map': () => new Proxy(new Map([[1, 2]]), {}),
  'a proxy of a date': () => new Proxy(new Date(0), {}),
  'a proxy of bytes': () => new Proxy(new Uint8Array([1]), {}),
  'a proxy of a function': () => new Proxy(() => 1, {}),
  'a proxy of a class instance': () => new Proxy(new Unregistered(), {}),
};

/** Nothing that reads data asks a proxy what it `has`. */
function readable(proxy: object, target: object, trap: string): object {
  if (trap === 'has') transparentProxies.set(proxy, target);
  return proxy;
}

const CYCLES_AND_DEPTH: Readonly<Record<string, Make>> = {
  'an object that holds itself': () => {
    const cycle: Record<string, unknown> = { a: 1 };
    cycle.self = { again: cycle };
    return cycle;
  },
  'an array that holds itself': () => {
    const cycle: unknown[] = [1];
    cycle.push([cycle]);
    return cycle;
  },
  'a map that holds itself': () => {
    const cycle = new Map<unknown, unknown>();
    return cycle.set(cycle, 1);
  },
  'a set that holds itself': () => {
    const cycle = new Set<unknown>();
    return cycle.add([cycle]);
  },
  'objects about 500 levels deep': (random) => nested(490 + random.below(20), (inner) => ({ inner })),
  'arrays about 500 levels deep': (random) => nested(490 + random.below(20), (inner) => [inner]),
  'maps about 500 levels deep': (random) => nested(490 + random.below(20), (inner) => new Map([[inner, 1]])),
  'objects 20,000 levels deep': () => nested(20_000, (inner) => ({ inner })),
  'one object in 1,024 places': () => nested(10, (inner) => [inner, inner]),
};

function nested(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 'the innermost';
  for (let level = 0; level < depth; level++) value = wrap(value);
  return value;
}

const KEYS: Readonly<Record<string, Make>> = {
  'an own __proto__': () => JSON.parse('{"__proto__":{"polluted":true},"a":1}') as unknown,
  'an own __proto__ without a prototype': () => {
    const bare = Object.create(null) as Record<string, unknown>;
    bare['__proto__'] = { $: 1 };
    return bare;
  },
  'a key $': (random) => ({
    $: random.pick(['date', 'undefined', 'hole', 'map', '@money', 'object', 5, null]),
    v: 'x',
  }),
  'a key $ in a key $': () => ({ $: { $: 'object', v: { $: 'hole' } }, v: [{ $: 'hole' }] }),
  'a key $ without a prototype': () => Object.assign(Object.create(null) as object, { $: 'date', v: 5 }),
  'keys of Object.prototype': () => ({
    constructor: 1,
    toString: 2,
    hasOwnProperty: 3,
    valueOf: null,
    isPrototypeOf: 1,
  }),
  'a toJSON that is data': () => ({ toJSON: 'text', [THEN]: 'text' }),
  'a toJSON that is a function': () => ({ a: 1, toJSON: () => ({ a: 2 }) }),
  'a then that is a function': () => ({ [THEN]: (resolve: (value: unknown) => void) => resolve(5) }),
  'keys like indexes': () => ({ b: 1, 10: 1, 2: 1, '-1': 1, '01': 1, 4294967295: 1, a: 1 }),
  'an empty key': () => ({ '': 1, ' ': 2, '\u0000': 3 }),
  'an ill-formed key': () => ({ 'a\uD800': 1 }),
  'keys like stored attributes': () => ({ pk: 1, sk: 2, eventData: 'x', encoding: 'deflate-raw', checksum: 0 }),
};

export const LEAVES: Readonly<Record<string, Make>> = {
  ...PRIMITIVES,
  ...NOT_DATA,
  ...DISGUISES,
  ...PROPERTIES,
  ...PROXIES,
  ...CYCLES_AND_DEPTH,
  ...KEYS,
};

/** Those that are stored, for payloads that are to go deep. */
export const STORABLE_LEAVES: readonly string[] = [
  'undefined', 'null', 'true', '-0', 'a number', 'a whole number', 'a bigint', 'a long bigint', 'text like a tag', 'a date',
  'text with controls', 'text beyond the basic plane', 'bytes', 'bytes with an offset', 'a Buffer', 'a registered instance',
  'an own __proto__', 'a key $', 'a key $ in a key $', 'keys of Object.prototype', 'keys like indexes', 'an empty key',
  'the first date', 'the last date', 'an array that ends in holes', 'no bytes', 'a toJSON that is data',
]; // prettier-ignore
