import * as fc from 'fast-check';
import { Random } from './random.js';

/** What one lane checks, one value after the other. */
export interface Lane<T> {
  readonly arbitrary: fc.Arbitrary<T>;
  /** Throws when a promise is broken. */
  judge(value: T): Promise<void>;
  /** The smallest value found that breaks it, in words. */
  describe(value: T): string;
  close(): Promise<void>;
}

export interface LaneOptions {
  readonly lanes: number;
  /** Of all lanes together. */
  readonly runs: number;
  readonly seed: number;
  /** As a failure printed it, to have that failure again, with its seed; else empty. */
  readonly path: string;
}

/** Looking for a smaller value that fails as well ends after so long. */
const SHRINK_MS = 20_000;

/** A lane that has found so many broken promises looks for no more. */
const MAX_FAILURES = 3;

/** Lets lanes run side by side, each with a seed of its own. */
export async function checkInLanes<T>(
  options: LaneOptions,
  open: (lane: number) => Promise<Lane<T>>,
): Promise<readonly string[]> {
  const { seed, path } = options;
  if (path !== '') return checkLane(await open(0), () => seed, 1, path);
  const seeds = new Random(seed);
  const lanes = Math.max(1, Math.min(options.lanes, options.runs));
  const found = await Promise.all(
    Array.from({ length: lanes }, async (_, index) => {
      const own = seeds.fork();
      const runs = Math.ceil((options.runs - index) / lanes);
      return checkLane(await open(index), () => own.below(2 ** 31), runs);
    }),
  );
  return found.flat();
}

async function checkLane<T>(lane: Lane<T>, nextSeed: () => number, runs: number, path = ''): Promise<string[]> {
  const failures: string[] = [];
  try {
    for (let left = runs; left > 0 && failures.length < MAX_FAILURES;) {
      const details = await fc.check(boundedShrinking(lane), {
        seed: nextSeed(),
        numRuns: left,
        verbose: 0,
        ...(path !== '' && { path }),
      });
      if (!details.failed) break;
      failures.push(failureText(lane, details));
      left -= details.numRuns;
    }
  } finally {
    await lane.close();
  }
  return failures;
}

/** Some time after the first failure every smaller value counts as a good one, which ends the search. */
function boundedShrinking<T>({ arbitrary, judge }: Lane<T>): fc.IAsyncProperty<[T]> {
  let searchUntil = Infinity;
  return fc.asyncProperty(arbitrary, async (value) => {
    if (performance.now() > searchUntil) return;
    try {
      await judge(value);
    } catch (error) {
      if (searchUntil === Infinity) searchUntil = performance.now() + SHRINK_MS;
      throw error;
    }
  });
}

function failureText<T>(lane: Lane<T>, details: fc.RunDetails<[T]>): string {
  const { seed, counterexamplePath, counterexample, numShrinks, errorInstance } = details;
  const example = counterexample ? lane.describe(counterexample[0]) : '(none)';
  const error = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance);
  return `--seed ${seed} --path ${counterexamplePath} (shrunk ${numShrinks} times): ${example}\n${error}`;
}
