import { types } from 'node:util';
import { EVENT_CLASSES } from './events.js';

/** Belong to everybody. */
const SHARED: readonly object[] = [Math, JSON, Intl, Object.prototype];

/** What other objects hold inside may belong to others as well. */
const CHANGEABLE = new Set<object | null>([
  null,
  ...[Object, Array, Map, Set, Date, Uint8Array, Buffer, ...EVENT_CLASSES].map(({ prototype }) => prototype as object),
]);

/** Changes whatever can be changed in a value and its parts, as its owner may do once `append` has been called. */
export function change(value: unknown): void {
  const met = new Set<object>(SHARED);
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || met.has(next) || types.isProxy(next)) continue;
    met.add(next);
    if (CHANGEABLE.has(Object.getPrototypeOf(next) as object | null)) waiting.push(...changeOne(next));
  }
}

/** @returns its parts as they were */
function changeOne(value: object): unknown[] {
  const parts: unknown[] = [];
  if (types.isUint8Array(value)) {
    for (let index = 0; index < value.length; index++) value[index] = 0xee;
    return parts;
  }
  if (types.isDate(value)) Date.prototype.setTime.call(value, 1);
  if (types.isMap(value)) {
    parts.push(...[...(Map.prototype.entries.call(value) as Iterable<[unknown, unknown]>)].flat());
    Map.prototype.set.call(value, 'added', 'afterwards');
  }
  if (types.isSet(value)) {
    parts.push(...(Set.prototype.values.call(value) as Iterable<unknown>));
    Set.prototype.add.call(value, 'added afterwards');
  }
  // Node keeps its asynchronous contexts under symbols of promises.
  for (const key of Object.getOwnPropertyNames(value)) {
    const { value: part, writable } = Object.getOwnPropertyDescriptor(value, key)!;
    parts.push(part);
    if (writable && key !== 'length') Reflect.set(value, key, 'changed afterwards');
  }
  Reflect.defineProperty(value, 'added', { value: 'afterwards', enumerable: true });
  return parts;
}
