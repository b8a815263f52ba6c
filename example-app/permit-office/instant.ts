const TIMESTAMP =
  /^(?<date>\d{4}-\d{2}-\d{2})[ T](?<time>\d{2}:\d{2}:\d{2})(?:\.(?<fraction>\d{1,9}))?(?:Z|(?<sign>[+-])(?<hours>[01]\d|2[0-3]):(?<minutes>[0-5]\d))$/;

/**
 * The instant that a text such as `2011-10-11 13:45:40.276000+02:00` stands for, in nanoseconds since 1970: a `Date`
 * would cut it to milliseconds. Undefined when the text is no timestamp with a time zone, or names no real day.
 */
export function instantOf(text: string): bigint | undefined {
  const { date, time, fraction = '', sign, hours = '0', minutes = '0' } = TIMESTAMP.exec(text)?.groups ?? {};
  const local = new Date(`${date}T${time}Z`);
  // Date turns 30 February into 1 March.
  if (Number.isNaN(local.getTime()) || local.toISOString() !== `${date}T${time}.000Z`) return undefined;
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
  return BigInt(local.getTime() - offset) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
