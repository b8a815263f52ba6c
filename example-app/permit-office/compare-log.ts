import type { AggregateRepository, RecordedEvent } from 'nestjs-dynamodb-event-store';
import { inParallel } from './in-parallel.js';
import { instantOf } from './instant.js';
import type { LogRow, UnusableRow } from './log-row.js';
import type { PermitCase } from './permit-case.js';
import type { CaseReceived, StepDone } from './permit-events.js';

const CASES_READ_AT_ONCE = 24;

/** What the log says of one step, and the store must say too. */
interface ExpectedStep {
  readonly activity: string;
  readonly taskId: string;
  readonly user: string;
  readonly instant: bigint | undefined;
}

export interface Comparison {
  readonly cases: number;
  readonly events: number;
  /** One sentence for each case that is not as the log says. */
  readonly differences: readonly string[];
  readonly longestCase: string | undefined;
}

/**
 * Reads every case of a log back from the store and compares it with the rows: how many, in which order, by whom
 * and when. It holds the steps of the whole log in memory.
 *
 * @param skipped lines that were not imported
 */
export async function compareLog(
  rows: AsyncIterable<LogRow | UnusableRow>,
  skipped: ReadonlySet<number>,
  cases: Pick<AggregateRepository<PermitCase>, 'history'>,
  signal?: AbortSignal,
): Promise<Comparison> {
  const expected = new Map<string, ExpectedStep[]>();
  for await (const row of rows) {
    if (row.fault !== undefined || skipped.has(row.line)) continue;
    const { caseId, user, step } = row;
    const steps = expected.get(caseId) ?? [];
    expected.set(caseId, steps);
    steps.push({ activity: step.activity, taskId: step.taskId, user, instant: instantOf(step.doneAt) });
  }

  const differences: string[] = [];
  await inParallel(expected, CASES_READ_AT_ONCE, async ([caseId, steps]) => {
    signal?.throwIfAborted();
    const difference = await firstDifference(steps, cases.history(caseId));
    if (difference !== undefined) differences.push(`${caseId}: ${difference}.`);
  });

  let events = 0;
  let longest: readonly [caseId?: string, length?: number] = [];
  for (const [caseId, { length }] of expected) {
    events += length;
    if (length > (longest[1] ?? 0)) longest = [caseId, length];
  }
  return { cases: expected.size, events, differences, longestCase: longest[0] };
}

async function firstDifference(
  steps: readonly ExpectedStep[],
  history: AsyncIterable<RecordedEvent>,
): Promise<string | undefined> {
  let count = 0;
  let difference: string | undefined;
  for await (const recorded of history) {
    const expected = steps[count++];
    if (expected) difference ??= differenceOf(expected, count, recorded as RecordedEvent<CaseReceived | StepDone>);
  }
  if (count !== steps.length) return `the store has ${count} events, and the file ${steps.length} rows`;
  return difference;
}

function differenceOf(
  expected: ExpectedStep,
  position: number,
  { version, event: { step }, metadata }: RecordedEvent<CaseReceived | StepDone>,
): string | undefined {
  if (version !== position) return `event ${position} has version ${version}`;
  if (step.activity !== expected.activity || step.taskId !== expected.taskId) {
    return `event ${version} is "${step.activity}" (${step.taskId}), and in the file "${expected.activity}" (${expected.taskId})`;
  }
  if (metadata.userId !== expected.user) {
    return `event ${version} is by ${metadata.userId}, and in the file by ${expected.user}`;
  }
  if (instantOf(step.doneAt) !== expected.instant)
    return `event ${version} was done at ${step.doneAt}, and the file says otherwise`;
  return undefined;
}
