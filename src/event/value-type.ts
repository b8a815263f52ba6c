import type { Class } from './class-type.js';

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
