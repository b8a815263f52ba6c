import { memberTokens, type MemberToken } from './class-source.js';
import type { Class } from './class-type.js';

/** A declaration such as `#amount;`, `#amount = 0` or `accessor amount`, as it looks in a source that cannot be read. */
const LIKE_PRIVATE_FIELD = /(?:^|[\s;{}])(?:static\s+)?(?:#[\p{L}_$][\p{L}\p{N}_$]*\s*[=;}]|accessor\s+[\p{L}_$])/u;

const known = new WeakMap<object, boolean>();

/** Whether a class, or one it extends, declares fields of its instances that cannot be seen from outside. */
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
  const declares = declaresThem(String(type));
  known.set(type, declares);
  return declares;
}

function declaresThem(source: string): boolean {
  // Most classes have nothing that could be one, not even in a comment.
  if (!/#|accessor/.test(source)) return false;
  const tokens = memberTokens(source);
  if (!tokens) return LIKE_PRIVATE_FIELD.test(source);
  return tokens.some((token, at) => isPrivateField(token, tokens[at - 1], tokens[at + 1]));
}

/** And not a method, which keeps nothing, nor a use in the value of another field, nor a field of the class itself. */
function isPrivateField({ text, onNewLine }: MemberToken, before?: MemberToken, after?: MemberToken): boolean {
  if (!after || (before && ['static', '.', '?.'].includes(before.text))) return false;
  if (text.startsWith('#')) return !['(', 'in'].includes(after.text);
  if (text !== 'accessor' || after.onNewLine) return false;
  // Otherwise it is the value of a field, and reads one of a list.
  if (after.text === '[') return !before || onNewLine || /^[;}]$/.test(before.text);
  return /^[#$_"\d\p{ID_Start}]/u.test(after.text) && !/^in(?:stanceof)?$/.test(after.text);
}
