import { inspect, isDeepStrictEqual } from 'node:util';
import {
  CommitOutcomeUnknownError,
  ConcurrencyError,
  EventStoreError,
  EventStoreUnavailableError,
  type CommitOutcome,
} from '../../../src/index.js';
import type { Truth } from './events-table.js';
import type { Trial } from './operation.js';

/** How a trial ended, as its caller saw it. */
export type Ending =
  | { readonly kind: 'answered'; readonly answer: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'never' };

export type Verdict =
  | { readonly allowed: 'ok' | 'typedErrors' | 'unknown' | 'conflicts' }
  | { readonly broken: 'falseSuccesses' | 'untypedErrors' | 'falseClaims' | 'pastDeadline' };

/** Whether what the caller was told is true. What only reads has no truth in the table beside its answer. */
export function judge(trial: Trial, ending: Ending, truth: Truth | undefined): Verdict {
  if (ending.kind === 'never') return { broken: 'pastDeadline' };
  if (ending.kind === 'answered') {
    const rightAnswer = !('answer' in trial) || isDeepStrictEqual(ending.answer, trial.answer);
    const done = truth === undefined || truth.state === 'applied';
    return rightAnswer && done && !trial.conflicts && !trial.refusedWith
      ? { allowed: 'ok' }
      : { broken: 'falseSuccesses' };
  }
  const { error } = ending;
  if (!(error instanceof EventStoreError)) return { broken: 'untypedErrors' };
  return saysTheTruth(error, trial, truth) ? { allowed: kindOf(error) } : { broken: 'falseClaims' };
}

function kindOf(error: EventStoreError): 'typedErrors' | 'unknown' | 'conflicts' {
  if (error instanceof ConcurrencyError) return 'conflicts';
  return error instanceof CommitOutcomeUnknownError ? 'unknown' : 'typedErrors';
}

function saysTheTruth(error: EventStoreError, trial: Trial, truth: Truth | undefined): boolean {
  if (truth?.state === 'broken') return false;
  if (error.code === trial.refusedWith) return truth?.state === 'not applied';
  if (error instanceof ConcurrencyError) return trial.conflicts === true && truth?.state === 'not applied';
  if (error instanceof CommitOutcomeUnknownError) {
    if (truth?.state === 'applied') return !trial.conflicts && !trial.refusedWith && error.commitId === truth.commitId;
    return truth !== undefined;
  }
  // Every other error claims something about the streams that no fault makes true.
  if (!(error instanceof EventStoreUnavailableError)) return false;
  if (trial.acknowledged?.()) return truth?.state === 'applied';
  if (truth?.state !== 'applied') return true;
  return trial.failsEitherWay === true && !error.message.includes('Nothing was written');
}

/** Whether what `outcomeOf` once said of a commit agrees with what the table holds in the end. */
export function isTrueOutcome(outcome: CommitOutcome, truth: Truth): boolean {
  if (outcome === 'stored') return truth.state === 'applied';
  return outcome === 'undecided' || truth.state === 'not applied';
}

export function endingText(ending: Ending): string {
  if (ending.kind === 'never') return 'it never ended';
  if (ending.kind === 'answered') return `claimed success, with ${shown(ending.answer)}`;
  const { error } = ending;
  return `claimed ${error instanceof Error ? `${error.name}: ${error.message}` : shown(error)}`;
}

export function truthText(trial: Trial, truth: Truth | undefined): string {
  const right = 'answer' in trial ? `the right answer is ${shown(trial.answer)}` : '';
  const conflict = trial.conflicts ? 'another was first' : (trial.refusedWith ?? '');
  const state = truth && (truth.state === 'broken' ? `the table holds ${truth.shown}` : `it was ${truth.state}`);
  return [state, conflict, right].filter(Boolean).join(', ');
}

function shown(value: unknown): string {
  return inspect(value, { breakLength: Infinity, maxStringLength: 100, depth: 5 });
}
