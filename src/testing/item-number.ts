/** How many digits DynamoDB keeps of a number, and how far from the first of them its point may stand. */
const MAX_DIGITS = 38;
const MIN_POWER = -129;
const MAX_POWER = 126;

const NUMBER = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i;

/**
 * A number in the one form in which it equals all others of the same value, as DynamoDB compares them.
 *
 * @returns undefined for what is no number to DynamoDB, or is too large, too small or too precise for it
 */
export function itemNumber(text: string): string | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  if (whole + fraction === '') return undefined;
  const fromFirst = (whole + fraction).replace(/^0+/, '');
  const digits = fromFirst.replace(/0+$/, '');
  if (digits === '') return '0';
  const power = Number(exponent) - fraction.length + fromFirst.length;
  if (digits.length > MAX_DIGITS || power < MIN_POWER || power > MAX_POWER) return undefined;
  return `${sign === '-' ? '-' : ''}0.${digits}e${power}`;
}
