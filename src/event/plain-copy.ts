import type { Class } from './class-type.js';
import { hasPrivateFields } from './private-state.js';

/**
 * A copy of an instance and of the data in it, which may be instances of classes as well. Those with private fields,
 * functions or native parts are shared, as only they know how to copy themselves. What is attached under hidden keys
 * stays behind.
 */
export function copyInstance<T extends object>(instance: T): T {
  return new Copying().fields(instance, Object.create(Object.getPrototypeOf(instance) as object) as T);
}

/** A larger thing is hardly data, but something with half of the application behind it. */
const MAX_OBJECTS = 10_000;

/**
 * Whether all that can be reached from a value is data that fields tell in full.
 *
 * @param seen gets all objects on the way
 */
function isData(value: unknown, seen: Set<object>): boolean {
  if (typeof value === 'function') return false;
  if (typeof value !== 'object' || value === null || value instanceof Date || seen.has(value)) return true;
  if (seen.size >= MAX_OBJECTS) return false;
  seen.add(value);
  if (Array.isArray(value)) return value.every((item) => isData(item, seen));
  if (value instanceof Set) return [...value].every((item) => isData(item, seen));
  if (value instanceof Map) return [...value].every((entry) => entry.every((item) => isData(item, seen)));
  return !hidesState(value) && Object.values(value).every((field) => isData(field, seen));
}

/** By prototype, as telling it takes the source of the class. */
const hiding = new WeakMap<object, boolean>();

function hidesState(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || prototype === Object.prototype) return false;
  const known = hiding.get(prototype);
  if (known !== undefined) return known;
  const type = prototype.constructor as unknown;
  // What is no class of JavaScript may be a native one.
  const isClass = typeof type === 'function' && type.prototype === prototype && String(type).startsWith('class');
  const hides = !isClass || hasPrivateFields(type as Class) || hidesState(prototype);
  hiding.set(prototype, hides);
  return hides;
}

class Copying {
  /** Copies made so far, as plain data may contain itself. */
  private readonly copies = new Map<object, unknown>();
  /** Known to be data, with all that is in it. */
  private readonly data = new Set<object>();

  fields<T extends object>(from: T, to: T): T {
    this.copies.set(from, to);
    for (const key of Object.keys(from)) {
      const value = this.value((from as Record<string, unknown>)[key]);
      Object.defineProperty(to, key, { value, writable: true, enumerable: true, configurable: true });
    }
    return to;
  }

  private value(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (this.copies.has(value)) return this.copies.get(value);
    if (Array.isArray(value)) return this.array(value);
    if (value instanceof Date) return new Date(value);
    if (value instanceof Map) return this.map(value);
    if (value instanceof Set) return this.set(value);
    const prototype = Object.getPrototypeOf(value) as object | null;
    if (prototype === Uint8Array.prototype || prototype === Buffer.prototype) return this.bytes(value as Uint8Array);
    if (prototype !== Object.prototype && prototype !== null && !this.isData(value)) return value;
    return this.fields(value, Object.create(prototype) as object);
  }

  private isData(instance: object): boolean {
    if (this.data.has(instance)) return true;
    const seen = new Set<object>();
    if (!isData(instance, seen)) return false;
    for (const each of seen) this.data.add(each);
    return true;
  }

  private array(array: readonly unknown[]): unknown[] {
    const copy: unknown[] = Array.from({ length: 0 });
    this.copies.set(array, copy);
    copy.length = array.length;
    for (const index of array.keys()) if (index in array) copy[index] = this.value(array[index]);
    return copy;
  }

  private bytes(bytes: Uint8Array): Uint8Array {
    // A Buffer has a `slice` of its own, which shares its memory.
    const copy = Uint8Array.prototype.slice.call(bytes);
    this.copies.set(bytes, copy);
    return copy;
  }

  private map(map: ReadonlyMap<unknown, unknown>): Map<unknown, unknown> {
    const copy = new Map<unknown, unknown>();
    this.copies.set(map, copy);
    for (const [key, item] of map) copy.set(this.value(key), this.value(item));
    return copy;
  }

  private set(set: ReadonlySet<unknown>): Set<unknown> {
    const copy = new Set<unknown>();
    this.copies.set(set, copy);
    for (const item of set) copy.add(this.value(item));
    return copy;
  }
}
