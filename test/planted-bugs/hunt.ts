import { runNamedTests } from './named-tests.js';
import type { Catcher, PlantedBug } from './planted-bug.js';
import type { WorkingCopy } from './working-copy.js';

/** What became of one bug. */
export interface Verdict {
  readonly bug: PlantedBug;
  /** The tests that noticed it. */
  readonly noticed: readonly string[];
  /** Why it does not count as caught; undefined when it was. */
  readonly missed: string | undefined;
}

/** Whether the named tests notice a bug. Each catcher has to, or its name stands there for nothing. */
export async function hunt(
  copy: WorkingCopy,
  bug: PlantedBug,
  endpoint: string,
  signal?: AbortSignal,
): Promise<Verdict> {
  const { catches, broken } = await copy.with(bug, () => runNamedTests(copy.folder, endpoint, bug.caughtBy, signal));
  const noticed = [...new Set(catches.flatMap(({ failed }) => failed.map(({ test }) => test)))];
  const blind = catches.filter(({ failed }) => failed.length === 0).map(({ catcher }) => described(catcher));
  const missed = broken ?? (blind.length > 0 ? `not noticed by ${blind.join(', ')}` : undefined);
  return { bug, noticed, missed };
}

/** What is wrong with the named tests where no bug is planted: they fail, or are not there. */
export async function faultsWithoutBugs(
  copy: WorkingCopy,
  bugs: readonly PlantedBug[],
  endpoint: string,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const catchers = bugs.flatMap(({ caughtBy }) => caughtBy);
  const { catches, broken } = await runNamedTests(copy.folder, endpoint, catchers, signal);
  if (broken !== undefined) return [broken];
  const faults = catches.flatMap(({ catcher, passed, failed }) => [
    ...failed.map(({ test, reason }) => `fails without any bug: ${test}\n${reason}`),
    ...(passed.length === 0 && failed.length === 0 ? [`no such test: ${described(catcher)}`] : []),
  ]);
  return [...new Set(faults)];
}

function described({ file, test }: Catcher): string {
  return `${file} "${test}"`;
}
