import type { LogCounts } from '../permit-office/count-log.js';
import type { PermitStatisticsShown } from '../permit-office/permit-statistics.js';

/** Compares the statistics of the permit office with what is counted from the log. @returns a sentence for each difference */
export function comparePermitStatistics(shown: PermitStatisticsShown, counts: LogCounts): readonly string[] {
  const steps = new Map(shown.steps.map(({ step, times }) => [`"${step}"`, times]));
  const expectedSteps = new Map([...counts.steps].map(([step, times]) => [`"${step}"`, times]));
  const users = new Map(shown.users.map(({ user, times }) => [`steps by ${user}`, times]));
  const expectedUsers = new Map([...counts.users].map(([user, times]) => [`steps by ${user}`, times]));
  const cases = new Map([['cases', shown.cases]]);
  return [
    ...differences(cases, new Map([['cases', counts.cases.size]])),
    ...differences(steps, expectedSteps),
    ...differences(users, expectedUsers),
  ];
}

function differences(shown: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>): string[] {
  return [...new Set([...shown.keys(), ...expected.keys()])]
    .filter((name) => shown.get(name) !== expected.get(name))
    .map(
      (name) => `The statistics have ${shown.get(name) ?? 'no'} ${name}, and the file ${expected.get(name) ?? 'none'}.`,
    );
}
