import { Encoding, TAG } from './encoding.js';
import { CorruptStreamError, EventRegistrationError } from './event-errors.js';
import type { ValueType } from './value-type.js';

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

  /** Likewise, and an object that stands in two places is refused, as it would come back as two. */
  encodeTree(fields: object, subject: string): string {
    return new Encoding(subject, this.byType, new Set()).root(fields);
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

function isTagged(value: unknown, tag: string): boolean {
  return (
    typeof value === 'object' && value !== null && Object.hasOwn(value, TAG) && (value as { $: unknown }).$ === tag
  );
}

/** Defines instead of assigning what has a meaning on the prototype: `__proto__`, setters, read-only getters. */
export function setOwn(target: object, key: string, value: unknown): void {
  if (key in target) {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (target as Record<string, unknown>)[key] = value;
  }
}
