import { CHANGED_CASES } from '../permit-office/changed-cases.js';
import type { CountedCase } from '../permit-office/count-log.js';
import type { LastStep } from '../permit-office/permit-statistics.tables.js';

/**
 * Compares the cases that are shown as those that changed last with the log. Which of all these are is not for it to say, as
 * cases are imported side by side.
 *
 * @returns a sentence for each difference
 */
export function compareChangedCases(
  shown: readonly LastStep[],
  cases: ReadonlyMap<string, CountedCase>,
): readonly string[] {
  const expectedCount = Math.min(CHANGED_CASES, cases.size);
  const differences = shown.flatMap(({ caseId, version, step, user }) => {
    const counted = cases.get(caseId);
    if (!counted) return [`Case ${caseId} is shown, and the file does not have it.`];
    const { steps, lastStep, lastUser } = counted;
    if (version === steps && step === lastStep && user === lastUser) return [];
    return [
      `Case ${caseId} is shown with step ${version}, "${step}" by ${user}, and the file ends with step ${steps}, "${lastStep}" by ${lastUser}.`,
    ];
  });
  if (shown.length === expectedCount) return differences;
  return [`${shown.length} cases are shown as those that changed last, not ${expectedCount}.`, ...differences];
}
