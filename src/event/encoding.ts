import { isDate, isMap, isNativeError, isPromise, isSet, isUint8Array } from 'node:util/types';
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
const MAX_VALUES = 5_000_000;

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
    this.ancestors.add(fields);
    if (isContainer(fields)) this.refuse('its contents are not in its fields, and would be lost');
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
    if (this.met && !isDate(value)) {
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
    if (Array.isArray(value) && isPrototypeNamed(prototype, 'Array')) return this.array(value);
    if (isDate(value) && isPrototypeNamed(prototype, 'Date')) return this.date(value);
    if (isMap(value) && isPrototypeNamed(prototype, 'Map')) return this.map(value);
    if (isSet(value) && isPrototypeNamed(prototype, 'Set')) return this.set(value);
    if (isUint8Array(value)) {
      if (Object.keys(value).length !== value.length)
        this.refuse('it has properties beside its bytes, which would be lost');
      if (isPrototypeNamed(prototype, 'Uint8Array')) return tagged('bytes', base64(value));
      if (Buffer.isBuffer(value)) return tagged('buffer', base64(value));
    }
    if (prototype === null) return tagged('null-prototype', this.fields(value, this.dataKeys(value)));
    if (isRootPrototype(prototype)) {
      const text = this.fields(value, this.dataKeys(value));
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
      if (Object.getOwnPropertyDescriptor(value, key)?.get)
        this.refuse('it is a getter, which would come back as a value');
      parts.push(`${this.string(key)}:${this.value((value as Record<string, unknown>)[key])}`);
      this.path.pop();
    }
    return `{${parts.join(',')}}`;
  }

  private array(array: readonly unknown[]): string {
    const indexes = this.dataKeys(array, 'length');
    if (!indexes.every(isIndex)) return this.refuse('it is an array with named properties, which would be lost');
    if (array.length - indexes.length > MAX_HOLES)
      return this.refuse(`it is an array with more than ${MAX_HOLES} holes`);
    const parts: string[] = [];
    for (let index = 0; index < array.length; index++) {
      this.path.push(index);
      parts.push(Object.hasOwn(array, index) ? this.value(array[index]) : tagged('hole'));
      this.path.pop();
    }
    return `[${parts.join(',')}]`;
  }

  private date(date: Date): string {
    if (Number.isNaN(date.getTime())) return this.refuse('it is an invalid date');
    this.bare(date);
    return tagged('date', `"${date.toISOString()}"`);
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

  private refuse(reason: string): never {
    throw new UnserializableEventError(this.subject, pathText(this.path), reason);
  }
}

function isContainer(value: object): boolean {
  return (
    Array.isArray(value) ||
    isMap(value) ||
    isSet(value) ||
    isDate(value) ||
    isUint8Array(value) ||
    isNativeError(value) ||
    isPromise(value)
  );
}

function tagged(tag: string, json?: string): string {
  return json === undefined ? `{"$":${JSON.stringify(tag)}}` : `{"$":${JSON.stringify(tag)},"v":${json}}`;
}

function base64(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}"`;
}

function isIndex(key: string): boolean {
  return String(Number(key) >>> 0) === key;
}

/** By name and not by identity, as test runners and vm contexts have a `Date`, `Map` … of their own. */
function isPrototypeNamed(prototype: object | null, name: string): boolean {
  return prototype?.constructor?.name === name;
}

/** `Object.prototype`, of this or of another realm. */
function isRootPrototype(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
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
