import type { LogRow, UnusableRow } from './log-row.js';

export interface CountedCase {
  /** Who is responsible, by the first row of the case; empty where the log does not say. */
  readonly responsible: string;
  readonly steps: number;
  /** What was done last, and by whom. */
  readonly lastStep: string;
  readonly lastUser: string;
}

/** What a log holds, counted row by row, without the event store. */
export interface LogCounts {
  /** In the order in which they begin. */
  readonly cases: ReadonlyMap<string, CountedCase>;
  /** How often each step was done. */
  readonly steps: ReadonlyMap<string, number>;
  /** How many steps each user has done. */
  readonly users: ReadonlyMap<string, number>;
}

/** @param skipped lines that were not imported */
export async function countLog(
  rows: AsyncIterable<LogRow | UnusableRow>,
  skipped: ReadonlySet<number>,
): Promise<LogCounts> {
  const cases = new Map<string, CountedCase>();
  const steps = new Map<string, number>();
  const users = new Map<string, number>();
  for await (const row of rows) {
    if (row.fault !== undefined || skipped.has(row.line)) continue;
    const { caseId, user, facts, step } = row;
    const { responsible, steps: before } = cases.get(caseId) ?? { responsible: facts.responsible, steps: 0 };
    cases.set(caseId, { responsible, steps: before + 1, lastStep: step.activity, lastUser: user });
    steps.set(step.activity, (steps.get(step.activity) ?? 0) + 1);
    users.set(user, (users.get(user) ?? 0) + 1);
  }
  return { cases, steps, users };
}
