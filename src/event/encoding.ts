import { types } from 'node:util';
import { UnserializableEventError } from './event-errors.js';
import type { ValueType } from './value-type.js';

/**
 * JSON that keeps what JSON loses. Whatever JSON has no form for is stored as an object with the tag `$`, and an
 * object that has a key `$` of its own as `{"$":"object","v":…}`, so that the two never look alike.
 */
export const TAG = '$';

/** Far beyond any real event, and far from where the recursion would overflow the call stack. */
const MAX_DEPTH = 500;

/** Guards against data that repeats itself at every level, and so is small in memory and endless as text. */
const MAX_VALUES = 1_000_000;

const MAX_CHARACTERS = 64 * 1024 * 1024;

/** Guards against `new Array(1e9)`. */
const MAX_HOLES = 1_000;

/** One value on its way into text; knows the path it is at. */
export class Encoding {
  private readonly path: (string | number)[] = [];
  private readonly ancestors = new Set<object>();
  private values = 0;
  private characters = 0;

  constructor(
    private readonly subject: string,
    private readonly valueTypes: ReadonlyMap<object, ValueType>,
    /** Objects met so far, where none may stand twice. */
    private readonly met?: Set<object>,
  ) {}

  root(fields: object): string {
    try {
      return this.rootFields(fields);
    } catch (error) {
      if (error instanceof UnserializableEventError) throw error;
      // A trap of a proxy, or `write` of a value type.
      return this.refuse('reading it failed', error);
    }
  }

  private rootFields(fields: object): string {
    this.ancestors.add(fields);
    if (hasInnerContents(fields)) this.refuse('its contents are not in its fields, and would be lost');
    // What is attached under hidden symbols is not data; @nestjs/cqrs keeps its AsyncContext there.
    const isData = (key: string | symbol) =>
      typeof key === 'string' || Object.prototype.propertyIsEnumerable.call(fields, key);
    if (Reflect.ownKeys(fields).filter(isData).length > Object.keys(fields).length) {
      this.refuse('it has symbol keys or hidden properties, which would be lost');
    }
    const text = this.fields(fields, Object.keys(fields));
    return Object.hasOwn(fields, TAG) ? tagged('object', text) : text;
  }

  private value(value: unknown): string {
    if (++this.values > MAX_VALUES) return this.refuse(`it holds more than ${MAX_VALUES} values`);
    switch (typeof value) {
      case 'string':
        return this.string(value);
      case 'boolean':
        return value ? 'true' : 'false';
      case 'number':
        return this.number(value);
      case 'bigint':
        return tagged('bigint', `"${value}"`);
      case 'undefined':
        return tagged('undefined');
      case 'object':
        return value === null ? 'null' : this.nested(value);
      default:
        return this.refuse(`a ${typeof value} is not data`);
    }
  }

  private string(value: string): string {
    this.characters += value.length;
    if (this.characters > MAX_CHARACTERS) return this.refuse(`it holds more than ${MAX_CHARACTERS} characters`);
    if (!value.isWellFormed()) return this.refuse('the text holds a lone surrogate, so it is not well-formed Unicode');
    return JSON.stringify(value);
  }

  private number(value: number): string {
    if (!Number.isFinite(value)) return this.refuse('NaN and Infinity are not storable numbers');
    return Object.is(value, -0) ? tagged('-0') : String(value);
  }

  private nested(value: object): string {
    if (this.ancestors.has(value)) return this.refuse('it contains itself');
    if (this.ancestors.size >= MAX_DEPTH) return this.refuse(`it is nested more than ${MAX_DEPTH} levels deep`);
    if (this.met && !types.isDate(value)) {
      if (this.met.has(value)) return this.refuse('it stands in two places, and would come back as two objects');
      this.met.add(value);
    }
    this.ancestors.add(value);
    const text = this.object(value);
    this.ancestors.delete(value);
    return text;
  }

  private object(value: object): string {
    const prototype = Object.getPrototypeOf(value) as object | null;
    const valueType = prototype && this.valueTypes.get(prototype);
    if (valueType) return tagged(`@${valueType.name}`, this.value(valueType.write(value)));
    const native = prototype && nativeNameOf(prototype);
    if (native === 'Array' && Array.isArray(value)) return this.array(value);
    if (native === 'Date' && types.isDate(value)) return this.date(value);
    if (native === 'Map' && types.isMap(value)) return this.map(value);
    if (native === 'Set' && types.isSet(value)) return this.set(value);
    if (native === 'Uint8Array' && types.isUint8Array(value)) return tagged('bytes', this.bytes(value));
    if (prototype === Buffer.prototype && types.isUint8Array(value)) return tagged('buffer', this.bytes(value));
    if (prototype === null || native === 'Object') {
      if (hasInnerContents(value)) return this.refuse('its contents are not in its fields, and would be lost');
      const text = this.fields(value, this.dataKeys(value));
      if (prototype === null) return tagged('null-prototype', text);
      return Object.hasOwn(value, TAG) ? tagged('object', text) : text;
    }
    return this.refuse(
      `it is an instance of the class ${className(prototype)}; store plain data, or register the class in valueTypes of EventStoreModule`,
    );
  }

  private fields(value: object, keys: readonly string[]): string {
    const parts: string[] = [];
    for (const key of keys) {
      this.path.push(key);
      parts.push(`${this.string(key)}:${this.property(value, key)}`);
      this.path.pop();
    }
    return `{${parts.join(',')}}`;
  }

  private property(value: object, key: string | number): string {
    const { get, set } = Object.getOwnPropertyDescriptor(value, key) ?? {};
    if (get || set) return this.refuse('it is a getter or a setter, which would come back as a value');
    return this.value((value as Record<string | number, unknown>)[key]);
  }

  private array(array: readonly unknown[]): string {
    const indexes = this.dataKeys(array, 'length');
    if (!indexes.every(isIndex)) return this.refuse('it is an array with named properties, which would be lost');
    if (array.length - indexes.length > MAX_HOLES)
      return this.refuse(`it is an array with more than ${MAX_HOLES} holes`);
    const parts: string[] = [];
    for (let index = 0; index < array.length; index++) {
      this.path.push(index);
      parts.push(Object.hasOwn(array, index) ? this.property(array, index) : tagged('hole'));
      this.path.pop();
    }
    return `[${parts.join(',')}]`;
  }

  private date(date: Date): string {
    this.bare(date);
    if (Number.isNaN(date.getTime())) return this.refuse('it is an invalid date');
    return tagged('date', `"${date.toISOString()}"`);
  }

  private bytes(bytes: Uint8Array): string {
    // Its indexes come first.
    const last = Reflect.ownKeys(bytes).at(-1);
    if (last !== undefined && !isIndex(last)) {
      this.refuse('it has properties beside its bytes, which would be lost');
    }
    return base64(bytes);
  }

  private map(map: ReadonlyMap<unknown, unknown>): string {
    this.bare(map);
    const parts = this.entries([...map], ([key, item]) => `[${this.value(key)},${this.value(item)}]`);
    return tagged('map', parts);
  }

  private set(set: ReadonlySet<unknown>): string {
    this.bare(set);
    return tagged(
      'set',
      this.entries([...set], (item) => this.value(item)),
    );
  }

  /** Map keys are payload, so the path counts entries instead of naming them. */
  private entries<T>(entries: readonly T[], encode: (entry: T) => string): string {
    const parts = entries.map((entry, index) => {
      this.path.push(index);
      const text = encode(entry);
      this.path.pop();
      return text;
    });
    return `[${parts.join(',')}]`;
  }

  private bare(value: object): void {
    if (Reflect.ownKeys(value).length > 0) this.refuse('it has properties beside its contents, which would be lost');
  }

  private dataKeys(value: object, ...expected: string[]): string[] {
    const keys = Object.keys(value);
    const hidden = Reflect.ownKeys(value).length - keys.length - expected.length;
    if (hidden > 0) this.refuse('it has symbol keys or hidden properties, which would be lost');
    return keys;
  }

  private refuse(reason: string, cause?: unknown): never {
    throw new UnserializableEventError(this.subject, pathText(this.path), reason, { cause });
  }
}

/** Whether it holds what no field shows, such as entries, whatever its prototype says. */
function hasInnerContents(value: object): boolean {
  return (
    Array.isArray(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isDate(value) ||
    ArrayBuffer.isView(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isNativeError(value) ||
    types.isPromise(value) ||
    types.isBoxedPrimitive(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isRegExp(value) ||
    types.isGeneratorObject(value) ||
    types.isMapIterator(value) ||
    types.isSetIterator(value)
  );
}

function tagged(tag: string, json?: string): string {
  return json === undefined ? `{"$":${JSON.stringify(tag)}}` : `{"$":${JSON.stringify(tag)},"v":${json}}`;
}

function base64(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}"`;
}

/** Of an element: the last one is below 2^32 − 1. */
function isIndex(key: string | symbol): boolean {
  if (typeof key === 'symbol') return false;
  const index = Number(key) >>> 0;
  return index < 2 ** 32 - 1 && String(index) === key;
}

const nativeNames = new WeakMap<object, string>();

/**
 * The name of a class of the language that a prototype belongs to, of this or of another realm, as test runners and vm
 * contexts have a `Date`, `Map` … of their own. Empty for the prototype of any other class, however that is named.
 */
function nativeNameOf(prototype: object): string {
  let name = nativeNames.get(prototype);
  if (name === undefined) {
    const constructor = Object.hasOwn(prototype, 'constructor') ? (prototype.constructor as unknown) : undefined;
    const isNative =
      typeof constructor === 'function' &&
      constructor.prototype === prototype &&
      Function.prototype.toString.call(constructor).endsWith('{ [native code] }');
    name = isNative ? constructor.name : '';
    nativeNames.set(prototype, name);
  }
  return name;
}

/** A `constructor` that is no class is data, so it is not shown. */
function className({ constructor }: object): string {
  return (typeof constructor === 'function' && constructor.name) || '(unnamed)';
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(part)
      ? `${text}.${part}`
      : `${text}[${JSON.stringify(part.toWellFormed())}]`;
  }, '$');
}
