import type { Photo, Property, Shot } from './photograph.js';

/**
 * `identical`: a reader of data sees no difference. Whether something may be written to again is no data, and neither
 * is that two places share an object.
 * `untouched`: it is the same object, and nothing was done to it.
 */
export type Sameness = 'identical' | 'untouched';

/** Where and how two values differ, without any value in it; undefined when they do not. */
export function difference(before: Shot, now: Shot, sameness: Sameness): string | undefined {
  const compared = new Map<Photo, Set<Photo>>();
  const waiting = [{ before, now, path: '$' }];
  for (let pair = waiting.pop(); pair; pair = waiting.pop()) {
    const { path } = pair;
    const one = pair.before;
    const other = pair.now;
    if ('primitive' in one || 'primitive' in other) {
      if ('primitive' in one && 'primitive' in other && Object.is(one.primitive, other.primitive)) continue;
      return `${path}: ${nameOf(one)} became ${nameOf(other)}`;
    }
    if (compared.get(one)?.has(other)) continue;
    compared.set(one, (compared.get(one) ?? new Set<Photo>()).add(other));
    const fault = ownDifference(one, other, sameness);
    if (fault !== undefined) return `${path}: ${fault}`;
    one.contents.forEach((part, index) =>
      waiting.push({ before: part, now: other.contents[index]!, path: `${path}{${index}}` }),
    );
    one.properties.forEach(({ value, key }, index) => {
      if (value) waiting.push({ before: value, now: other.properties[index]!.value!, path: pathTo(path, key) });
    });
  }
  return undefined;
}

function ownDifference(one: Photo, other: Photo, sameness: Sameness): string | undefined {
  if (sameness === 'untouched') {
    if (one.identity !== other.identity) return 'it became another object';
    if (one.extensible !== other.extensible) return 'it was sealed';
  }
  if (one.kind === 'opaque proxy' && sameness === 'identical') return 'what a proxy hides was taken for data';
  if (one.kind !== other.kind) return `${one.kind} became ${other.kind}`;
  if (one.prototype !== other.prototype) return `${one.kind} came back with another prototype`;
  if (one.contents.length !== other.contents.length) return `${one.kind} came back with another number of entries`;
  if (one.bytes && !one.bytes.equals(other.bytes!)) return 'bytes came back as others';
  if (sameness === 'identical' && !STORABLE_KINDS.has(one.kind)) return `${one.kind} was taken for data`;
  if (one.properties.length !== other.properties.length) return `${one.kind} came back with other properties`;
  for (const [index, property] of one.properties.entries()) {
    const fault = propertyDifference(property, other.properties[index]!, sameness);
    if (fault !== undefined) return `${pathTo('', property.key)} ${fault}`;
  }
  return undefined;
}

/** Kinds whose contents a photograph shows whole. */
const STORABLE_KINDS = new Set(['object', 'array', 'map', 'set', 'date', 'Uint8Array']);

function propertyDifference(one: Property, other: Property, sameness: Sameness): string | undefined {
  if (one.key !== other.key) return `stands where ${pathTo('', other.key)} stood`;
  if (one.enumerable !== other.enumerable) return one.enumerable ? 'was hidden' : 'was made visible';
  if ((one.value === undefined) !== (other.value === undefined)) return 'is no longer what it was: getter or value';
  if (one.get !== other.get || one.set !== other.set) return 'has another getter or setter';
  if (sameness === 'untouched' && (one.writable !== other.writable || one.configurable !== other.configurable)) {
    return 'was locked';
  }
  return undefined;
}

function nameOf(shot: Shot): string {
  if (!('primitive' in shot)) return shot.kind;
  const { primitive } = shot;
  return typeof primitive === 'number' || primitive === null || primitive === undefined
    ? String(Object.is(primitive, -0) ? '-0' : primitive)
    : `a ${typeof primitive}`;
}

function pathTo(path: string, key: string | symbol): string {
  return `${path}[${typeof key === 'symbol' ? 'a symbol' : JSON.stringify(key.slice(0, 30))}]`;
}
