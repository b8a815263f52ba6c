import type { Class } from './class-type.js';

const COMMENT = /\/\*[^]*?\*\/|\/\/.*/;
const TEXT = /"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|`(?:\\[^]|[^`\\])*`/;
const PATTERN = /(?<=(?:[=(,:[!&|?]|return)\s*)\/(?:\\.|[^/\\\n])+\//;

/** In which anything may stand. */
const NO_CODE = new RegExp([COMMENT, TEXT, PATTERN].map(({ source }) => source).join('|'), 'g');

/**
 * A declaration such as `#amount;`, `#amount = 0` or `accessor amount`, and not a method or a use of one. That of a class
 * inside of the class counts as well: better refused than lost.
 */
const PRIVATE_FIELD =
  /(?:^|[\s;{}])(?<!static\s+)(?:#[\p{L}_$][\p{L}\p{N}_$]*\s*(?:[=;}]|[\r\n])|accessor[ \t]+[#\p{L}_$"[](?!n\s|nstanceof\s))/u;

const known = new WeakMap<object, boolean>();

/** Whether a class, or one it extends, declares fields that cannot be seen from outside. */
export function hasPrivateFields(type: Class): boolean {
  for (let each: unknown = type; typeof each === 'function' && each !== Function.prototype;) {
    if (declaresPrivateFields(each)) return true;
    each = Object.getPrototypeOf(each);
  }
  return false;
}

function declaresPrivateFields(type: object): boolean {
  const before = known.get(type);
  if (before !== undefined) return before;
  const declares = PRIVATE_FIELD.test(String(type).replace(NO_CODE, (found) => (/^\/[/*]/.test(found) ? ' ' : '""')));
  known.set(type, declares);
  return declares;
}
