import { inspect, isDeepStrictEqual } from 'node:util';

/** Two lists, a line for each item: `-` only expected, `+` only there, and a space where they agree. */
export function listDifference<I>(expected: readonly I[], actual: readonly I[], lineOf: (item: I) => string): string {
  const lines: string[] = [];
  const common = commonLengths(expected, actual);
  let [e, a] = [0, 0];
  while (e < expected.length || a < actual.length) {
    if (e < expected.length && a < actual.length && isDeepStrictEqual(expected[e], actual[a])) {
      lines.push(`  ${lineOf(expected[e]!)}`);
      e++;
      a++;
    } else if (e < expected.length && (a === actual.length || common[e + 1]![a]! >= common[e]![a + 1]!)) {
      lines.push(`- ${lineOf(expected[e++]!)}`);
    } else {
      lines.push(`+ ${lineOf(actual[a++]!)}`);
    }
  }
  if (lookAlike(lines)) {
    lines.push('(Some lines look the same and are not: look for two classes of one name, or one file loaded twice.)');
  }
  return lines.join('\n');
}

/** A value on one line, with nothing left out: what is cut off may be the difference. */
export function valueText(value: unknown): string {
  const options = { depth: null, maxArrayLength: null, maxStringLength: null, customInspect: false };
  return inspect(value, { ...options, breakLength: Infinity, compact: true }).replaceAll('\n', ' ');
}

/** `[e][a]`: how many items the lists have in common, in order, from there on. */
function commonLengths(expected: readonly unknown[], actual: readonly unknown[]): number[][] {
  const lengths = Array.from({ length: expected.length + 1 }, () => Array.from({ length: actual.length + 1 }, () => 0));
  for (let e = expected.length - 1; e >= 0; e--) {
    for (let a = actual.length - 1; a >= 0; a--) {
      lengths[e]![a] = isDeepStrictEqual(expected[e], actual[a])
        ? lengths[e + 1]![a + 1]! + 1
        : Math.max(lengths[e + 1]![a]!, lengths[e]![a + 1]!);
    }
  }
  return lengths;
}

function lookAlike(lines: readonly string[]): boolean {
  const expected = new Set(lines.filter((line) => line.startsWith('-')).map((line) => line.slice(1)));
  return lines.some((line) => line.startsWith('+') && expected.has(line.slice(1)));
}
