import { types } from 'node:util';

/** What can be seen of a value at one moment, down to its parts. It stays as it is when the value changes. */
export type Shot = { readonly primitive: unknown } | Photo;

export interface Photo {
  readonly identity: object;
  /** What it is inside, whatever its prototype says. */
  readonly kind: string;
  readonly prototype: object | null;
  readonly extensible: boolean;
  readonly properties: readonly Property[];
  /** What does not lie in properties: entries of a map, time of a date. */
  readonly contents: readonly Shot[];
  readonly bytes: Buffer | undefined;
}

export interface Property {
  readonly key: string | symbol;
  readonly enumerable: boolean;
  readonly writable: boolean | undefined;
  readonly configurable: boolean;
  readonly value: Shot | undefined;
  readonly get: unknown;
  readonly set: unknown;
}

/** Proxies that show all of their target as it is, so that they may be stored as their target. */
export const transparentProxies = new WeakMap<object, object>();

export function transparent(target: object): object {
  const proxy = new Proxy(target, {});
  transparentProxies.set(proxy, target);
  return proxy;
}

/** Takes no getter and no trap for granted: neither is called. */
export function photograph(value: unknown): Shot {
  const taken = new Map<object, Photo>();
  const waiting: { source: object; photo: Unfinished }[] = [];
  const shot = (part: unknown): Shot => {
    if ((typeof part !== 'object' && typeof part !== 'function') || part === null) return { primitive: part };
    const known = taken.get(part);
    if (known) return known;
    const photo: Unfinished = {
      identity: part,
      kind: '',
      prototype: null,
      extensible: true,
      properties: [],
      contents: [],
      bytes: undefined,
    };
    taken.set(part, photo);
    waiting.push({ source: part, photo });
    return photo;
  };
  const root = shot(value);
  for (let next = waiting.pop(); next; next = waiting.pop()) develop(next.source, next.photo, shot);
  return root;
}

type Unfinished = { -readonly [Name in keyof Photo]: Photo[Name] };

function develop(source: object, photo: Unfinished, shot: (part: unknown) => Shot): void {
  const seen = types.isProxy(source) ? transparentProxies.get(source) : source;
  if (!seen || types.isProxy(seen)) {
    photo.kind = 'opaque proxy';
    return;
  }
  photo.kind = kindOf(seen);
  photo.prototype = Object.getPrototypeOf(seen) as object | null;
  photo.extensible = Object.isExtensible(seen);
  photo.contents = contentsOf(seen, photo.kind).map(shot);
  photo.bytes = bytesOf(seen);
  photo.properties = Reflect.ownKeys(seen)
    .filter((key) => photo.bytes === undefined || !/^\d+$/.test(String(key)))
    .map((key) => {
      const descriptor = Object.getOwnPropertyDescriptor(seen, key)!;
      const { enumerable = false, writable, configurable = false, get, set } = descriptor;
      const value = 'value' in descriptor ? shot(descriptor.value) : undefined;
      return { key, enumerable, writable, configurable, value, get, set };
    });
}

const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)!.get!;

function kindOf(value: object): string {
  if (typeof value === 'function') return 'function';
  if (Array.isArray(value)) return 'array';
  if (types.isTypedArray(value)) return String(typedArrayName.call(value));
  const [, name] = KINDS.find(([is]) => is(value)) ?? [];
  return name ?? 'object';
}

const KINDS: readonly (readonly [(value: unknown) => boolean, string])[] = [
  [types.isMap, 'map'],
  [types.isSet, 'set'],
  [types.isDate, 'date'],
  [types.isRegExp, 'regular expression'],
  [types.isNativeError, 'error'],
  [types.isBoxedPrimitive, 'boxed'],
  [types.isPromise, 'promise'],
  [types.isWeakMap, 'weak map'],
  [types.isWeakSet, 'weak set'],
  [types.isArrayBuffer, 'array buffer'],
  [types.isSharedArrayBuffer, 'shared array buffer'],
  [types.isDataView, 'data view'],
  [types.isGeneratorObject, 'generator'],
  [types.isMapIterator, 'map iterator'],
  [types.isSetIterator, 'set iterator'],
  [types.isArgumentsObject, 'arguments'],
  [types.isModuleNamespaceObject, 'module'],
];

function contentsOf(value: object, kind: string): unknown[] {
  switch (kind) {
    case 'map':
      return [...Map.prototype.entries.call(value as Map<unknown, unknown>)].flat();
    case 'set':
      return [...Set.prototype.values.call(value as Set<unknown>)];
    case 'date':
      return [Date.prototype.getTime.call(value as Date)];
    default:
      return [];
  }
}

function bytesOf(value: object): Buffer | undefined {
  if (!types.isTypedArray(value)) return undefined;
  const view = (name: 'buffer' | 'byteOffset' | 'byteLength') =>
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype) as object, name)!.get!.call(value);
  // Also of memory that was given away.
  if (view('byteLength') === 0) return Buffer.alloc(0);
  return Buffer.from(
    Buffer.from(view('buffer') as ArrayBuffer, view('byteOffset') as number, view('byteLength') as number),
  );
}
