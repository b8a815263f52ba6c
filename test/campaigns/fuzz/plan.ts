import * as fc from 'fast-check';
import { Random } from '../random.js';
import { LEAVES, STORABLE_LEAVES } from './leaves.js';
import { transparent } from './photograph.js';
import { Box } from './value-types.js';

/** How to make a value, so that it can be made anew, made smaller and told in words. */
export interface Plan {
  readonly kind: string;
  readonly seed: number;
  readonly parts: readonly Plan[];
  /** A value that is there already, for the kind `anything`. */
  readonly value?: unknown;
}

type Combine = (parts: unknown[], random: Random) => unknown;

const KEYS = ['a', 'b', 'c', '$', 'v', '__proto__', 'constructor', 'then', '', '0', 'ü', '😀'];

const CONTAINERS: Readonly<Record<string, Combine>> = {
  object: (parts, random) => withKeys({}, parts, random),
  'object without a prototype': (parts, random) => withKeys(Object.create(null) as object, parts, random),
  'frozen object': (parts, random) => Object.freeze(withKeys({}, parts, random)),
  'sealed object': (parts, random) => Object.seal(withKeys({}, parts, random)),
  array: (parts) => parts,
  'frozen array': (parts) => Object.freeze(parts),
  'array with holes': (parts, random) => {
    const holes: unknown[] = [];
    for (const part of parts) holes[holes.length + random.below(3)] = part;
    return holes;
  },
  map: (parts) => new Map(parts.map((part, index) => [index % 2 === 0 ? part : index, parts[index + 1]])),
  set: (parts) => new Set(parts),
  'registered box': (parts) => new Box(parts.length === 1 ? parts[0] : parts),
  'the same twice': (parts) => [parts, { again: parts }],
  'proxy of an object': (parts, random) => transparent(withKeys({}, parts, random)),
  'proxy of an array': (parts) => transparent(parts),
};

function withKeys<T extends object>(target: T, parts: readonly unknown[], random: Random): T {
  for (const [index, value] of parts.entries()) {
    const key = random.chance(0.5) ? `key${index}` : random.pick(KEYS);
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return target;
}

/** A new value each time, but for the kind `anything`. */
export function build({ kind, seed, parts, value }: Plan): unknown {
  if (kind === ANYTHING) return value;
  const random = new Random(seed);
  const container = CONTAINERS[kind];
  return container ? container(parts.map(build), random) : LEAVES[kind]!(random);
}

/** The kinds in it, and no value. */
export function describe({ kind, parts, value }: Plan): string {
  if (kind === ANYTHING) return `anything (${shapeOf(value)})`;
  return parts.length === 0 ? kind : `${kind} of (${parts.map(describe).join(', ')})`;
}

function shapeOf(value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  const name = (Object.getPrototypeOf(value) as object | null)?.constructor?.name ?? 'object without a prototype';
  const parts = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value);
  if (parts.length === 0 || depth > 3 || ArrayBuffer.isView(value)) return name;
  return `${name} of ${parts
    .slice(0, 8)
    .map((part) => shapeOf(part, depth + 1))
    .join(', ')}`;
}

/** A value that is a whole payload already. */
export function planOf(value: unknown): Plan {
  return { kind: ANYTHING, seed: 0, parts: [], value };
}

const ANYTHING = 'anything';

const seed = fc.integer();

const leaf = (kinds: readonly string[]): fc.Arbitrary<Plan> =>
  fc.record({ kind: fc.constantFrom(...kinds), seed, parts: fc.constant([]) });

const illFormed = fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 4 });

const anything: fc.Arbitrary<Plan> = fc
  .anything({
    key: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom(...KEYS), illFormed),
    stringUnit: 'binary',
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  })
  .map(planOf);

const tree = (leaves: fc.Arbitrary<Plan>, maxDepth: number): fc.Arbitrary<Plan> =>
  fc.letrec<{ plan: Plan }>((tie) => ({
    plan: fc.oneof(
      { maxDepth, withCrossShrink: true },
      { weight: 2, arbitrary: leaves },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constantFrom(...Object.keys(CONTAINERS)),
          seed,
          parts: fc.array(tie('plan'), { maxLength: 4 }),
        }),
      },
    ),
  })).plan;

/** One hostile value; or one among good ones; or only good ones, which are stored. */
export const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 6, arbitrary: leaf(Object.keys(LEAVES)) },
  {
    weight: 4,
    arbitrary: tree(
      fc.oneof({ weight: 8, arbitrary: leaf(STORABLE_LEAVES) }, { weight: 1, arbitrary: leaf(Object.keys(LEAVES)) }),
      3,
    ),
  },
  { weight: 6, arbitrary: tree(leaf(STORABLE_LEAVES), 4) },
  { weight: 4, arbitrary: anything },
);
