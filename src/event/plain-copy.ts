/**
 * A copy of an instance and of the plain data in it; instances of other classes are shared, as only they know how to
 * copy themselves. What is attached under hidden keys stays behind.
 */
export function copyInstance<T extends object>(instance: T): T {
  return new Copying().fields(instance, Object.create(Object.getPrototypeOf(instance) as object) as T);
}

class Copying {
  /** Copies made so far, as plain data may contain itself. */
  private readonly copies = new Map<object, unknown>();

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
    if (prototype !== Object.prototype && prototype !== null) return value;
    return this.fields(value, Object.create(prototype) as object);
  }

  private array(array: readonly unknown[]): unknown[] {
    const copy: unknown[] = Array.from({ length: 0 });
    this.copies.set(array, copy);
    copy.length = array.length;
    for (const index of array.keys()) if (index in array) copy[index] = this.value(array[index]);
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
