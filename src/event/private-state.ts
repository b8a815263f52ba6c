import type { Class } from './class-type.js';

/** A declaration such as `#amount;`, `#amount = 0` or `accessor amount`, and not a method or a use of one. */
const PRIVATE_FIELD = /(?:^|[\s;{}])(?:static\s+)?(?:#[\p{L}_$][\p{L}\p{N}_$]*\s*[=;}]|accessor\s+[\p{L}_$])/u;

/** Whether a class, or one it extends, declares fields that cannot be seen from outside. */
export function hasPrivateFields(type: Class): boolean {
  for (let each: unknown = type; typeof each === 'function' && each !== Function.prototype;) {
    if (PRIVATE_FIELD.test(String(each))) return true;
    each = Object.getPrototypeOf(each);
  }
  return false;
}
