/**
 * A bound as it was given; nothing when it bounds nothing.
 *
 * @throws RangeError when it is not a whole number from 0
 */
export function wholeNumber(name: string, value: number | undefined): number | undefined {
  if (value === undefined || value === Infinity) return undefined;
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${name} must be a whole number from 0.`);
  return value;
}
