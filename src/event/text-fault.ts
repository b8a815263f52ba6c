/** Why a value cannot be stored as text, undefined when it can; names no part of it. */
export function textFault(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'not a string';
  if (value === '') return 'empty';
  return value.isWellFormed() ? undefined : 'not well-formed Unicode';
}
