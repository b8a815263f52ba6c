import type { TableWrite } from '../store/table-write.js';

/**
 * A copy of all that a write holds, as its projection may go on with what it handed over. A write is sent several times
 * where answers are lost, and each time it has to be the same. What is no plain data is shared, for the document client
 * to know it by its class, such as its own `NumberValue`.
 */
export function copyWrite(write: TableWrite): TableWrite {
  try {
    return copyOf(write) as TableWrite;
  } catch {
    // It contains itself, or a field that cannot be read: so it is refused when it is to be stored.
    return write;
  }
}

/** Of all typed arrays. */
const TYPED_ARRAY_SLICE = Uint8Array.prototype.slice as (this: ArrayBufferView) => ArrayBufferView;

function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => copyOf(item));
  // A Buffer has a `slice` of its own, which shares its memory.
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return TYPED_ARRAY_SLICE.call(value);
  switch (Object.getPrototypeOf(value)) {
    case Object.prototype:
      return fieldsOf(value);
    case null:
      return Object.setPrototypeOf(fieldsOf(value), null);
    case Map.prototype:
      return new Map([...(value as Map<unknown, unknown>)].map(([name, part]) => [name, copyOf(part)]));
    case Set.prototype:
      return new Set([...(value as Set<unknown>)].map((member) => copyOf(member)));
    case ArrayBuffer.prototype:
      return (value as ArrayBuffer).slice(0);
    case DataView.prototype: {
      const { buffer, byteOffset, byteLength } = value as DataView;
      return new DataView(buffer.slice(byteOffset, byteOffset + byteLength));
    }
    default:
      return value;
  }
}

function fieldsOf(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copyOf(part)]));
}
