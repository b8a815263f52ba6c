import { isDeepStrictEqual } from 'node:util';
import type { AggregateRoot } from '../aggregate/aggregate-root.js';
import { classOf } from '../event/event-type.js';
import { eventDifference, eventLine, valueText } from './event-difference.js';
import { ScenarioFailedError } from './scenario-failed-error.js';

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/** What a `when` led to. */
export interface Decision<T> {
  /** Present when the command would have failed. */
  readonly thrown?: { readonly error: unknown };
  /** As readers would get them. */
  readonly events: readonly object[];
  /** The aggregate as the next command would load it. */
  readonly next: () => T;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the parameters of a class are its own affair
type ErrorClass = abstract new (...args: any[]) => object;

/** An error class, a part of the message, a pattern of the message, or a function that returns true for the error. */
// oxlint-disable-next-line typescript/no-explicit-any -- each predicate names its own error class
export type ErrorExpectation = ErrorClass | string | RegExp | ((error: any) => boolean);

/** Some of the fields, or a function that looks at the aggregate: it fails by throwing, or by returning false. */
export type StateExpectation<T> = { readonly [K in keyof T]?: T[K] } | ((aggregate: T) => unknown);

/**
 * What is to be true after a `when`. Assertions throw ScenarioFailedError at once. After an asynchronous `when` they
 * wait for it, and the chain has to be awaited: `await given(…).when(async …).then([…])`.
 *
 * `then` with a list of events makes this a thenable as well. So `await`, and a test runner that is handed the chain,
 * call `then` with two functions; it is a promise for them, of the end of all assertions so far.
 */
export class Outcome<T extends AggregateRoot> implements PromiseLike<void> {
  private decision: Decision<T> | Promise<Decision<T>>;
  private asserted = false;
  private errorExpected = false;

  constructor(decision: Decision<T> | Promise<Decision<T>>) {
    this.decision = decision;
  }

  /**
   * Exactly these events, in this order, compared by class and by deep value.
   *
   * The type of `this` keeps TypeScript from refusing `await`: it looks at each overload of `then` whose `this` surely is
   * the object, and wants them all to take a function.
   */
  // oxlint-disable unicorn/no-thenable -- see above
  then<Self>(this: Self, events: readonly object[]): Self;
  then<Fulfilled = void, Rejected = never>(
    onFulfilled?: ((value: void) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected>;
  then(
    events: readonly object[] | ((value: void) => unknown) | null | undefined,
    onRejected?: ((reason: unknown) => unknown) | null,
  ): this | Promise<unknown> {
    if (Array.isArray(events)) return this.assert((decision) => this.assertEvents(events as object[], decision));
    if (typeof events === 'function' || typeof onRejected === 'function') {
      return this.settled().then(events as (value: void) => unknown, onRejected);
    }
    throw new TypeError(
      `then takes a list of events, and got ${valueText(events)}: write then([…]), or thenNothing().`,
    );
  }
  // oxlint-enable unicorn/no-thenable

  /** No events, and no error. */
  thenNothing(): this {
    return this.assert((decision) => this.assertEvents([], decision));
  }

  /** The command would have failed with this error, and stored nothing. */
  thenThrows(expected: ErrorExpectation): this {
    const matches = errorMatcher(expected);
    return this.assert(({ thrown, events }) => {
      this.errorExpected = true;
      const wanted = `Expected ${expectationText(expected)} to be thrown`;
      if (!thrown) {
        const lines = events.map((event) => `\n+ ${eventLine(event)}`).join('');
        throw new ScenarioFailedError(`${wanted}, and nothing was. ${lines ? `Events:${lines}` : 'No events either.'}`);
      }
      if (matches(thrown.error)) return;
      throw new ScenarioFailedError(`${wanted}, and it was ${errorText(thrown.error)}.`, { cause: thrown.error });
    });
  }

  /** The aggregate as the next command would load it, so that only what its appliers change is there. */
  thenState(expected: StateExpectation<T>): this {
    return this.assert(({ thrown, next }) => {
      if (thrown && !this.errorExpected) throw unexpected(thrown.error, 'Expected a state');
      const aggregate = next();
      return typeof expected === 'function' ? assertBy(expected, aggregate) : assertFields(expected, aggregate);
    });
  }

  private assertEvents(expected: readonly object[], { thrown, events }: Decision<T>): void {
    const count = `${expected.length || 'no'} event${expected.length === 1 ? '' : 's'}`;
    if (thrown && !this.errorExpected) {
      const lines = expected.map((event) => `\n- ${eventLine(event)}`).join('');
      throw unexpected(thrown.error, `Expected ${count}`, lines);
    }
    if (isDeepStrictEqual(events, expected)) return;
    throw new ScenarioFailedError(
      `Expected ${count}, and there were other events (- expected, + actual):\n${eventDifference(expected, events)}`,
    );
  }

  /** Now, or after all that is still to come before it. */
  private assert(assertion: (decision: Decision<T>) => unknown): this {
    this.asserted = true;
    const { decision } = this;
    if (decision instanceof Promise) {
      const call = new Error();
      this.decision = decision.then(async (settled) => {
        try {
          await assertion(settled);
        } catch (error) {
          throw calledFrom(call, error);
        }
        return settled;
      });
    } else {
      const checking = assertion(decision);
      if (checking instanceof Promise) this.decision = checking.then(() => decision);
    }
    return this;
  }

  private async settled(): Promise<void> {
    const { thrown } = await this.decision;
    // Nobody has asserted anything, so nobody has heard of the error.
    if (thrown && !this.asserted) throw thrown.error;
  }
}

/** The test is not on the stack any more when an assertion had to wait; where it made it was kept. */
function calledFrom({ stack = '' }: Error, error: unknown): unknown {
  if (error instanceof ScenarioFailedError) {
    const frames = stack.slice(stack.indexOf('\n'));
    Object.defineProperty(error, 'stack', { value: `${String(error)}${frames}`, writable: true, configurable: true });
  }
  return error;
}

function assertBy<T>(check: (aggregate: T) => unknown, aggregate: T): Promise<void> | void {
  const verdict = check(aggregate);
  if (isThenable(verdict)) return Promise.resolve(verdict).then(assertNotFalse);
  assertNotFalse(verdict);
}

function assertNotFalse(verdict: unknown): void {
  if (verdict === false) throw new ScenarioFailedError('The function given to thenState returned false.');
}

function assertFields<T extends object>(expected: { readonly [K in keyof T]?: T[K] }, aggregate: T): void {
  const lines = (Object.keys(expected) as (keyof T & string)[])
    .filter((field) => !isDeepStrictEqual(aggregate[field], expected[field]))
    .map((field) => `\n- ${field}: ${valueText(expected[field])}\n+ ${field}: ${valueText(aggregate[field])}`);
  if (lines.length === 0) return;
  throw new ScenarioFailedError(
    `Expected another state of ${classOf(aggregate).name} (- expected, + as the next command would load it):${lines.join('')}`,
  );
}

function errorMatcher(expected: ErrorExpectation): (error: unknown) => boolean {
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

function unexpected(error: unknown, wanted: string, lines = ''): ScenarioFailedError {
  return new ScenarioFailedError(`${wanted}, and ${errorText(error)} was thrown.${lines}`, { cause: error });
}

function errorText(error: unknown): string {
  if (!hasMessage(error)) return valueText(error);
  return `${classOf(error).name}: ${messageOf(error).replace(/\.$/, '')}`;
}

function expectationText(expected: ErrorExpectation): string {
  if (typeof expected === 'string') return `an error with "${expected}" in its message`;
  if (expected instanceof RegExp) return `an error with a message like ${expected}`;
  return isClass(expected) ? expected.name : 'an error that the function takes';
}
