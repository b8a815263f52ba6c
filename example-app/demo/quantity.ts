export function number(value: number): string {
  return value.toLocaleString('en');
}

/** Such as `1 row` and `1,434 rows`. */
export function quantity(value: number, what: string): string {
  return `${number(value)} ${what}${value === 1 ? '' : 's'}`;
}
