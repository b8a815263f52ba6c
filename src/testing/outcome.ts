import { isDeepStrictEqual } from 'node:util';
import type { AggregateRoot } from '../aggregate/aggregate-root.js';
import { assertLater } from './assert-later.js';
import {
  errorMatcher,
  errorText,
  expectationText,
  unexpectedError,
  type ErrorExpectation,
} from './error-expectation.js';
import { eventDifference, eventLine } from './event-difference.js';
import { valueText } from './list-difference.js';
import { ScenarioFailedError } from './scenario-failed-error.js';
import { assertState, type StateExpectation } from './state-expectation.js';

/** What a `when` led to. */
export interface Decision<T> {
  /** Present when the command would have failed. */
  readonly thrown?: { readonly error: unknown };
  /** As readers would get them. */
  readonly events: readonly object[];
  /** The aggregate as the next command would load it. */
  readonly next: () => T;
}

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
      if (thrown && !this.errorExpected) throw unexpectedError(thrown.error, 'Expected a state');
      return assertState(expected, next(), { method: 'thenState', seen: 'as the next command would load it' });
    });
  }

  private assertEvents(expected: readonly object[], { thrown, events }: Decision<T>): void {
    const count = `${expected.length || 'no'} event${expected.length === 1 ? '' : 's'}`;
    if (thrown && !this.errorExpected) {
      const lines = expected.map((event) => `\n- ${eventLine(event)}`).join('');
      throw unexpectedError(thrown.error, `Expected ${count}`, lines);
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
      this.decision = assertLater(decision, assertion);
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
