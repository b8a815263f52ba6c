import { fork, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const { resolve } = createRequire(import.meta.url);
const COMPILED = join(dirname(resolve('nestjs-dynamodb-event-store/package.json')), '.build', 'test', 'campaigns');

/** Starts a compiled module of the campaigns, which calls `serveJob`, in a process of its own. */
export function startChild<Job extends object, Message>(
  module: string,
  job: Job,
  onMessage: (message: Message) => void,
): ChildProcess {
  const execArgv = ['--enable-source-maps', '--no-warnings'];
  const child = fork(join(COMPILED, module), { execArgv, serialization: 'advanced' });
  child.on('message', (message) => onMessage(message as Message));
  child.send(job);
  return child;
}

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
  const children = jobs.map((job) => startChild(module, job, onMessage));
  try {
    await Promise.all(children.map((child) => ended(child, module)));
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
