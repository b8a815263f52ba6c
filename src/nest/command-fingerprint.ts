import { createHash } from 'node:crypto';
import { classOf } from '../event/event-type.js';
import { hasPrivateFields } from '../event/private-state.js';
import { InvalidCommitError } from '../store/store-errors.js';

/**
 * Tells one body of a command from another, whatever the order of its fields, and one user from another. Functions do
 * not count.
 *
 * @throws InvalidCommitError when something in it keeps its state where it cannot be seen
 */
export function fingerprintOf(command: object, userId: string | undefined): string {
  const user = userId === undefined ? '' : JSON.stringify(userId);
  return createHash('sha256')
    .update(`${command.constructor.name}${canonical(command, [])}${user}`)
    .digest('base64url');
}

function canonical(value: unknown, inside: readonly object[]): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? typeof value;
  // What contains itself is told by how far up it stands.
  const above = inside.indexOf(value);
  if (above !== -1) return `^${inside.length - above}`;
  const path = [...inside, value];
  const list = (items: Iterable<unknown>) => [...items].map((item) => canonical(item, path)).join();
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (ArrayBuffer.isView(value))
    return `bytes ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}`;
  if (Array.isArray(value)) return `[${list(value)}]`;
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name}(${list(value)})`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined && typeof field !== 'function');
  const sorted = fields.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const shown = sorted.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field, path)}`).join();
  return `{${shown}}${hidden(value, path)}`;
}

/** What an instance keeps where it cannot be seen, such as a URL: as far as it tells. */
function hidden(value: object, path: readonly object[]): string {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype || prototype === null) return '';
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return `json ${canonical(toJSON.call(value), path)}`;
  if (value.toString !== Object.prototype.toString) return JSON.stringify(String(value));
  if (!hasPrivateFields(classOf(value))) return '';
  throw new InvalidCommitError(
    `A command with an idempotency key holds a ${classOf(value).name}, whose private fields cannot be compared with those of a repeat: give it a toJSON() that returns them.`,
  );
}
