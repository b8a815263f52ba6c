import { isDate, isMap, isSet, isUint8Array } from 'node:util/types';
import type { Class } from './class-type.js';
import { CorruptStreamError, EventRegistrationError, UnserializableEventError } from './event-errors.js';

/**
 * A way to store instances of a class of your own, or of a library, inside events and snapshots.
 *
 * @example { name: 'decimal', type: Decimal, write: (d) => d.toString(), read: (s) => new Decimal(s as string) }
 */
export interface ValueType<T extends object = object> {
  /** The durable name under which values are stored; never change it. */
  readonly name: string;
  readonly type: Class<T>;
  /** Turns a value into something storable: plain data, or values of other registered types. */
  write(value: T): unknown;
  /** Turns what `write` returned back into a value. */
  read(written: unknown): T;
}

/**
 * JSON that keeps what JSON loses. Whatever JSON has no form for is stored as an object with the tag `$`, and an
 * object that has a key `$` of its own as `{"$":"object","v":…}`, so that the two never look alike.
 */
const TAG = '$';

/** Far beyond any real event, and far from where the recursion would overflow the call stack. */
const MAX_DEPTH = 500;

export class Codec {
  private readonly byType = new Map<object, ValueType>();
  private readonly byName = new Map<string, ValueType>();

  constructor(valueTypes: readonly ValueType[] = []) {
    for (const valueType of valueTypes) {
      if (this.byName.has(valueType.name) || this.byType.has(valueType.type.prototype as object)) {
        throw new EventRegistrationError(
          `The value type "${valueType.name}" (${valueType.type.name}) is registered twice; keep one of the two.`,
        );
      }
      this.byName.set(valueType.name, valueType);
      this.byType.set(valueType.type.prototype as object, valueType);
    }
  }

  /**
   * The fields of an object, as text. The object's own class is not kept: who decodes knows it.
   * @throws UnserializableEventError for a value that would not come back identical
   */
  encode(fields: object, subject: string): string {
    return new Encoding(subject, this.byType).root(fields);
  }

  /** The fields again, as a plain object. */
  decode(text: string): Record<string, unknown> {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      // The parser's own message quotes the text, so it is not passed on.
      throw new CorruptStreamError('Stored data is not the text that was written: it is not JSON.');
    }
    const fields = this.reviveRoot(parsed);
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw new CorruptStreamError('Stored data is not the text that was written: its root is not an object.');
    }
    return fields as Record<string, unknown>;
  }

  private reviveRoot(parsed: unknown): unknown {
    try {
      return this.revive(parsed);
    } catch (error) {
      if (error instanceof CorruptStreamError) throw error;
      throw new CorruptStreamError('Stored data holds a tagged value that its type cannot read back.');
    }
  }

  private revive(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return this.reviveArray(value);
    if (Object.hasOwn(value, TAG)) return this.reviveTagged(value as { $: unknown; v?: unknown });
    return this.reviveFields(value as Record<string, unknown>);
  }

  private reviveArray(array: unknown[]): unknown[] {
    for (let index = 0; index < array.length; index++) {
      const element = array[index];
      if (isTagged(element, 'hole')) delete array[index];
      else array[index] = this.revive(element);
    }
    return array;
  }

  private reviveFields(fields: Record<string, unknown>): Record<string, unknown> {
    for (const key of Object.keys(fields)) {
      const value = fields[key];
      if (typeof value === 'object' && value !== null) setOwn(fields, key, this.revive(value));
    }
    return fields;
  }

  private reviveTagged({ $: tag, v }: { $: unknown; v?: unknown }): unknown {
    switch (tag) {
      case 'undefined':
        return undefined;
      case '-0':
        return -0;
      case 'bigint':
        return BigInt(v as string);
      case 'date':
        return new Date(v as string);
      case 'map':
        return new Map((v as [unknown, unknown][]).map(([key, item]) => [this.revive(key), this.revive(item)]));
      case 'set':
        return new Set((v as unknown[]).map((item) => this.revive(item)));
      case 'bytes':
        return new Uint8Array(Buffer.from(v as string, 'base64'));
      case 'buffer':
        return Buffer.from(v as string, 'base64');
      case 'object':
        return this.reviveFields(v as Record<string, unknown>);
      case 'null-prototype':
        return Object.setPrototypeOf(this.reviveFields(v as Record<string, unknown>), null);
    }
    if (typeof tag === 'string' && tag.startsWith('@')) {
      const valueType = this.byName.get(tag.slice(1));
      if (valueType) return valueType.read(this.revive(v));
      throw new CorruptStreamError(
        `Stored data holds a value of type "${tag.slice(1)}", which is not registered: add it to valueTypes of EventStoreModule.`,
      );
    }
    throw new CorruptStreamError('Stored data holds a kind of value that this version of the package does not know.');
  }
}

/** One value on its way into text; knows the path it is at. */
class Encoding {
  private readonly path: (string | number)[] = [];
  private readonly ancestors = new Set<object>();

  constructor(
    private readonly subject: string,
    private readonly valueTypes: ReadonlyMap<object, ValueType>,
  ) {}

  root(fields: object): string {
    this.ancestors.add(fields);
    if (
      Object.getOwnPropertySymbols(fields).some((symbol) => Object.prototype.propertyIsEnumerable.call(fields, symbol))
    ) {
      this.refuse('it has symbol keys, which would be lost');
    }
    const text = this.fields(fields, Object.keys(fields));
    return Object.hasOwn(fields, TAG) ? tagged('object', text) : text;
  }

  private value(value: unknown): string {
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
      if (isPrototypeNamed(prototype, 'Uint8Array')) return tagged('bytes', base64(value));
      if (Buffer.isBuffer(value)) return tagged('buffer', base64(value));
    }
    if (prototype === null) return tagged('null-prototype', this.fields(value, this.dataKeys(value)));
    if (isRootPrototype(prototype)) {
      const text = this.fields(value, this.dataKeys(value));
      return Object.hasOwn(value, TAG) ? tagged('object', text) : text;
    }
    return this.refuse(
      `it is an instance of the class ${prototype.constructor?.name || '(unnamed)'}; store plain data, or register the class in valueTypes of EventStoreModule`,
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
    if (!this.dataKeys(array, 'length').every(isIndex)) {
      return this.refuse('it is an array with named properties, which would be lost');
    }
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

function tagged(tag: string, json?: string): string {
  return json === undefined ? `{"$":${JSON.stringify(tag)}}` : `{"$":${JSON.stringify(tag)},"v":${json}}`;
}

function isTagged(value: unknown, tag: string): boolean {
  return (
    typeof value === 'object' && value !== null && Object.hasOwn(value, TAG) && (value as { $: unknown }).$ === tag
  );
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

/** Assigning to `__proto__` would change the prototype; defining it makes it a field like any other. */
export function setOwn(target: object, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (target as Record<string, unknown>)[key] = value;
  }
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(part)
      ? `${text}.${part}`
      : `${text}[${JSON.stringify(part.toWellFormed())}]`;
  }, '$');
}
