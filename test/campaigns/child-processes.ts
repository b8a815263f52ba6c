import { fork, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const { resolve } = createRequire(import.meta.url);
const COMPILED = join(dirname(resolve('nestjs-dynamodb-event-store/package.json')), '.build', 'test', 'campaigns');

/**
 * Runs a compiled module of the campaigns in processes of its own, one for each job, until all have ended. The module
 * calls `serveJob`.
 *
 * @param module such as `torture/writer-process.js`
 */
export async function inChildProcesses<Job extends object, Message>(
  module: string,
  jobs: readonly Job[],
  onMessage: (message: Message) => void,
): Promise<void> {
  const children = jobs.map(() =>
    fork(join(COMPILED, module), { execArgv: ['--enable-source-maps', '--no-warnings'], serialization: 'advanced' }),
  );
  try {
    await Promise.all(
      children.map((child, index) => {
        child.on('message', (message) => onMessage(message as Message));
        child.send(jobs[index]!);
        return ended(child, module);
      }),
    );
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill();
  }
}

function ended(child: ChildProcess, module: string): Promise<void> {
  return new Promise((resolved, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolved();
      else reject(new Error(`${module} ended with ${signal ?? code}; what it wrote to stderr says more.`));
    });
  });
}

/** Does the job that the parent process sends, and ends; ends at once when the parent is gone. */
export function serveJob<Job, Message>(run: (job: Job, send: (message: Message) => void) => Promise<void>): void {
  const parentIsGone = () => process.exit(1);
  process.once('disconnect', parentIsGone);
  process.once('message', (job) => {
    void run(job as Job, (message) => process.send!(message)).then(() => {
      process.off('disconnect', parentIsGone);
      process.disconnect();
    });
  });
}
