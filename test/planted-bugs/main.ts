import { parseArgs } from 'node:util';
import { dynamoDbEndpoint } from '../../scripts/dynamodb-local.js';
import { sweepTables } from '../../scripts/table-sweeper.js';
import { BUGS } from './bugs.js';
import { faultsWithoutBugs, hunt, type Verdict } from './hunt.js';
import { WorkingCopy } from './working-copy.js';

/**
 * Plants one bug after the other in copies of the code, and runs the tests that have to notice it:
 * `npm run planted-bugs -- --only blind-write,hole-skipped --parallel 2`. Ends with 1 when one is not noticed.
 */
async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { only: { type: 'string' }, parallel: { type: 'string', default: '2' } },
  });
  const parallel = Number(values.parallel);
  if (!Number.isSafeInteger(parallel) || parallel < 1) throw new TypeError('--parallel must be a number from 1.');
  const only = values.only?.split(',');
  const unknown = only?.filter((name) => !BUGS.some((bug) => bug.name === name)) ?? [];
  if (unknown.length > 0) {
    console.error(`No such bug: ${unknown.join(', ')}. There are: ${BUGS.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const bugs = BUGS.filter(({ name }) => only?.includes(name) ?? true);

  const stopping = new AbortController();
  const stop = () => stopping.abort(new Error('It was stopped.'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const ownDatabase = !process.env.DYNAMODB_ENDPOINT;
  const database = await dynamoDbEndpoint();
  const stopSweeping = ownDatabase ? sweepTables(database.endpoint) : undefined;
  const copies: WorkingCopy[] = [];
  try {
    for (let slot = 0; slot < Math.min(parallel, bugs.length); slot++) copies.push(await WorkingCopy.of(process.cwd()));
    const started = performance.now();
    const seconds = () => Math.round((performance.now() - started) / 1000);

    console.error('The named tests, without any bug …');
    const faults = await faultsWithoutBugs(copies[0]!, bugs, database.endpoint, stopping.signal);
    for (const fault of faults) console.error(fault);
    if (faults.length > 0) return 1;
    console.error(`… pass, after ${seconds()} s.`);

    const waiting = [...bugs];
    const verdicts: Verdict[] = [];
    const endings = await Promise.allSettled(
      copies.map(async (copy) => {
        for (let bug = waiting.shift(); bug; bug = waiting.shift()) {
          const verdict = await hunt(copy, bug, database.endpoint, stopping.signal);
          verdicts.push(verdict);
          const ending = verdict.missed === undefined ? 'caught' : 'NOT CAUGHT';
          console.error(`${verdicts.length} of ${bugs.length} in ${seconds()} s: ${bug.name} ${ending}`);
        }
      }),
    );
    for (const ending of endings) if (ending.status === 'rejected') throw ending.reason;

    const missed = verdicts.filter((verdict) => verdict.missed !== undefined);
    console.log(table(bugs.map((bug) => verdicts.find((verdict) => verdict.bug === bug)!)));
    console.log(
      `planted-bugs: ${bugs.length} planted, ${bugs.length - missed.length} caught, ${missed.length} not caught, ${seconds()} s`,
    );
    return missed.length === 0 ? 0 : 1;
  } finally {
    await Promise.all(copies.map((copy) => copy.remove()));
    stopSweeping?.();
    await database.stop();
  }
}

/** Each bug with the tests that noticed it. */
function table(verdicts: readonly Verdict[]): string {
  const width = Math.max(...verdicts.map(({ bug }) => bug.name.length));
  return verdicts
    .flatMap(({ bug, noticed, missed }) => [
      `${bug.name.padEnd(width)} → ${noticed[0] ?? 'nothing'}`,
      ...noticed.slice(1).map((test) => `${' '.repeat(width)}   ${test}`),
      ...(missed === undefined ? [] : [`${' '.repeat(width)}   NOT CAUGHT: ${missed}. ${bug.harm}`]),
    ])
    .join('\n');
}

process.exitCode = await main(process.argv.slice(2));
