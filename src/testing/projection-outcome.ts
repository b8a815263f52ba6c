import { isDeepStrictEqual } from 'node:util';
import type { TableWrite } from '../store/table-write.js';
import { assertLater } from './assert-later.js';
import {
  errorMatcher,
  errorText,
  expectationText,
  unexpectedError,
  type ErrorExpectation,
} from './error-expectation.js';
import { valueText } from './list-difference.js';
import type { Delivered } from './projection-delivery.js';
import { ScenarioFailedError } from './scenario-failed-error.js';
import { assertBy, assertState, type StateExpectation } from './state-expectation.js';
import { writeDifference, writeLine } from './write-difference.js';

/** All writes in their order, or a function that looks at them: it fails by throwing, or by returning false. */
export type WritesExpectation = readonly TableWrite[] | ((writes: readonly TableWrite[]) => unknown);

/**
 * What is to be true after events were handed to a projection. Projections are asynchronous, so the chain has to be
 * awaited: `await givenProjection(…).when([…]).thenWrites([…])`.
 */
export class ProjectionOutcome<T extends object> implements PromiseLike<void> {
  private asserted = false;
  private errorExpected = false;

  constructor(private delivered: Promise<Delivered<T>>) {}

  /** Exactly these writes were stored of `context.transaction`, compared by deep value. */
  thenWrites(expected: WritesExpectation): this {
    if (!Array.isArray(expected) && typeof expected !== 'function') {
      throw new TypeError(`thenWrites takes a list of writes or a function, and got ${valueText(expected)}.`);
    }
    return this.assert((delivered) => this.assertWrites(expected, delivered));
  }

  /** No writes, and no error. */
  thenNothing(): this {
    return this.assert((delivered) => this.assertWrites([], delivered));
  }

  /** A method threw this. The event is the last that was handed over; an application tries it again, and parks it. */
  thenThrows(expected: ErrorExpectation): this {
    const matches = errorMatcher(expected);
    return this.assert(({ thrown, writes }) => {
      this.errorExpected = true;
      const wanted = `Expected ${expectationText(expected)} to be thrown`;
      if (!thrown) {
        const lines = writes.map((write) => `\n+ ${writeLine(write)}`).join('');
        throw new ScenarioFailedError(`${wanted}, and nothing was. ${lines ? `Writes:${lines}` : 'No writes either.'}`);
      }
      if (matches(thrown.error)) return;
      throw new ScenarioFailedError(`${wanted}, and it was ${errorText(thrown.error)}.`, { cause: thrown.error });
    });
  }

  /** The projection itself, for one that keeps its view in its own fields, or hands it to a collaborator. */
  thenProjection(expected: StateExpectation<T>): this {
    return this.assert(({ thrown, projection }) => {
      if (thrown && !this.errorExpected) throw unexpectedError(thrown.error, 'Expected a projection');
      return assertState(expected, projection, { method: 'thenProjection', seen: 'as the projection is' });
    });
  }

  /**
   * Hands the same events over again, as at-least-once delivery may; what follows is about this second time. Of what a
   * projection writes by `context.transaction` nothing is stored twice; all else that it does, it does again.
   */
  redelivered(): ProjectionOutcome<T> {
    return new ProjectionOutcome(this.settled().then(({ again }) => again()));
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is awaited
  then<Fulfilled = void, Rejected = never>(
    onFulfilled?: ((value: void) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    if (typeof onFulfilled !== 'function' && typeof onRejected !== 'function') {
      // Otherwise `then([…])`, as it is written for aggregates, would pass whatever was written.
      throw new TypeError(`then is for await: write thenWrites([…]), and not then(${valueText(onFulfilled)}).`);
    }
    return this.settled()
      .then(() => {})
      .then(onFulfilled, onRejected);
  }

  private assertWrites(expected: WritesExpectation, { thrown, writes }: Delivered<T>): Promise<void> | void {
    const list = typeof expected === 'function' ? undefined : expected;
    const count = list ? `${list.length || 'no'} write${list.length === 1 ? '' : 's'}` : 'writes';
    if (thrown && !this.errorExpected) {
      const lines = list?.map((write) => `\n- ${writeLine(write)}`).join('');
      throw unexpectedError(thrown.error, `Expected ${count}`, lines);
    }
    if (typeof expected === 'function') return assertBy(expected, writes, 'thenWrites');
    if (isDeepStrictEqual(writes, expected)) return;
    throw new ScenarioFailedError(
      `Expected ${count}, and there were other writes (- expected, + actual):\n${writeDifference(expected, writes)}`,
    );
  }

  private assert(assertion: (delivered: Delivered<T>) => unknown): this {
    this.asserted = true;
    this.delivered = assertLater(this.delivered, assertion);
    return this;
  }

  private async settled(): Promise<Delivered<T>> {
    const delivered = await this.delivered;
    // Nobody has asserted anything, so nobody has heard of the error.
    if (delivered.thrown && !this.asserted) throw delivered.thrown.error;
    return delivered;
  }
}
