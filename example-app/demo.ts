import { join } from 'node:path';
import { EventStoreError } from 'nestjs-dynamodb-event-store';
import { EXIT, runDemo } from './demo/run-demo.js';
import { ProjectionStuckError } from './demo/until-caught-up.js';
import { PACKAGE_ROOT } from './package-root.js';
import { ImportFailedError } from './permit-office/import-log.js';
import { LogFileError } from './permit-office/read-log.js';

const SMALL_LOG = join(PACKAGE_ROOT, 'example-app', 'permit-office', 'small-log.csv');

const USAGE = `npm run demo [-- FILE]

Imports an event log of a permit office, a CSV file, with one command for each row, and compares what is stored, and
what the views show, with the file. Without FILE it takes the small log that comes with it.

Exit code: ${EXIT.allEqual} all rows are stored and equal the file's; ${EXIT.rowsSkipped} likewise, but for rows that were skipped, each named with its
line; ${EXIT.failed} something differs, or the demo could not go on; ${EXIT.interrupted} Ctrl+C.`;

const args = process.argv.slice(2);
const [file = SMALL_LOG] = args;
if (args.length > 1 || file.startsWith('-')) {
  console.log(USAGE);
  process.exitCode = file === '--help' || file === '-h' ? 0 : EXIT.failed;
} else {
  process.exitCode = await untilInterrupted((signal) => runDemo(file, signal));
}

/** Ctrl+C ends the demo in good order; the second one ends it at once. */
async function untilInterrupted(run: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      console.error('Interrupted: ending when what is running has finished.');
      interrupt.abort();
    });
  }
  try {
    return await run(interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) return EXIT.interrupted;
    console.error(isExpected(error) ? error.message : error);
    return EXIT.failed;
  }
}

/** Its message says it all. */
function isExpected(error: unknown): error is Error {
  return [LogFileError, ImportFailedError, ProjectionStuckError, EventStoreError].some((each) => error instanceof each);
}
