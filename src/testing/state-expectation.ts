import { isDeepStrictEqual } from 'node:util';
import { classOf } from '../event/event-type.js';
import { valueText } from './list-difference.js';
import { ScenarioFailedError } from './scenario-failed-error.js';
import { isThenable } from './thenable.js';

/** Some of the fields, or a function that looks at the object: it fails by throwing, or by returning false. */
export type StateExpectation<T> = { readonly [K in keyof T]?: T[K] } | ((subject: T) => unknown);

/** Fails now, or later where the function is asynchronous. */
export function assertState<T extends object>(
  expected: StateExpectation<T>,
  subject: T,
  { method, seen }: { readonly method: string; readonly seen: string },
): Promise<void> | void {
  return typeof expected === 'function' ? assertBy(expected, subject, method) : assertFields(expected, subject, seen);
}

export function assertBy<T>(check: (subject: T) => unknown, subject: T, method: string): Promise<void> | void {
  const verdict = check(subject);
  if (isThenable(verdict)) return Promise.resolve(verdict).then((settled) => assertNotFalse(settled, method));
  assertNotFalse(verdict, method);
}

function assertNotFalse(verdict: unknown, method: string): void {
  if (verdict === false) throw new ScenarioFailedError(`The function given to ${method} returned false.`);
}

function assertFields<T extends object>(expected: { readonly [K in keyof T]?: T[K] }, subject: T, seen: string): void {
  const lines = (Object.keys(expected) as (keyof T & string)[])
    .filter((field) => !isDeepStrictEqual(subject[field], expected[field]))
    .map((field) => `\n- ${field}: ${valueText(expected[field])}\n+ ${field}: ${valueText(subject[field])}`);
  if (lines.length === 0) return;
  throw new ScenarioFailedError(
    `Expected another state of ${classOf(subject).name} (- expected, + ${seen}):${lines.join('')}`,
  );
}
