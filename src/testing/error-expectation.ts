import { classOf } from '../event/event-type.js';
import { valueText } from './list-difference.js';
import { ScenarioFailedError } from './scenario-failed-error.js';

// oxlint-disable-next-line typescript/no-explicit-any -- the parameters of a class are its own affair
type ErrorClass = abstract new (...args: any[]) => object;

/** An error class, a part of the message, a pattern of the message, or a function that returns true for the error. */
// oxlint-disable-next-line typescript/no-explicit-any -- each predicate names its own error class
export type ErrorExpectation = ErrorClass | string | RegExp | ((error: any) => boolean);

export function errorMatcher(expected: ErrorExpectation): (error: unknown) => boolean {
  if (typeof expected === 'string') return (error) => messageOf(error).includes(expected);
  if (expected instanceof RegExp) return (error) => messageOf(error).search(expected) >= 0;
  if (typeof expected !== 'function') {
    throw new TypeError('thenThrows takes an error class, a text, a RegExp or a function that returns true or false.');
  }
  if (isClass(expected)) return (error) => error instanceof expected;
  return (error) => {
    const verdict = (expected as (error: unknown) => unknown)(error);
    // A promise would be true, whatever comes of it.
    if (typeof verdict === 'boolean') return verdict;
    throw new TypeError(
      `The function given to thenThrows must return true or false, and returned ${valueText(verdict)}.`,
    );
  };
}

function isClass(candidate: Exclude<ErrorExpectation, string | RegExp>): candidate is ErrorClass {
  const prototype = candidate.prototype as object | undefined;
  return prototype !== undefined && (candidate === Error || prototype instanceof Error || isDeclaredAsClass(candidate));
}

function isDeclaredAsClass(candidate: object): boolean {
  return /^class\b|\{ \[native code\] \}$/.test(Function.prototype.toString.call(candidate));
}

function messageOf(error: unknown): string {
  return hasMessage(error) ? String(error.message) : String(error);
}

/** Not `instanceof Error`, as errors of Node itself are of another realm under Jest. */
function hasMessage(error: unknown): error is { readonly message: unknown } {
  return typeof error === 'object' && error !== null && 'message' in error;
}

/** An error came where something else was expected. */
export function unexpectedError(error: unknown, wanted: string, lines = ''): ScenarioFailedError {
  return new ScenarioFailedError(`${wanted}, and ${errorText(error)} was thrown.${lines}`, { cause: error });
}

export function errorText(error: unknown): string {
  if (!hasMessage(error)) return valueText(error);
  return `${classOf(error).name}: ${messageOf(error).replace(/\.$/, '')}`;
}

export function expectationText(expected: ErrorExpectation): string {
  if (typeof expected === 'string') return `an error with "${expected}" in its message`;
  if (expected instanceof RegExp) return `an error with a message like ${expected}`;
  return isClass(expected) ? expected.name : 'an error that the function takes';
}
