import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Catcher } from './planted-bug.js';

/** What became of the tests that some catchers name. */
export interface TestRun {
  /** By catcher, in their order. */
  readonly catches: readonly Catch[];
  /** Why the tests could not run at all; nothing is caught then. */
  readonly broken: string | undefined;
}

interface Catch {
  readonly catcher: Catcher;
  readonly passed: readonly string[];
  readonly failed: readonly FailedTest[];
}

interface FailedTest {
  readonly test: string;
  readonly reason: string;
}

interface JestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const LONGEST_RUN_MS = 600_000;

/** More than in the suite, as several of these runs share the machine. */
const TEST_TIMEOUT_MS = 60_000;

/** Runs the named tests of a working copy, and no others, in a process of their own. */
export async function runNamedTests(
  folder: string,
  endpoint: string,
  catchers: readonly Catcher[],
  signal?: AbortSignal,
): Promise<TestRun> {
  const reports = await mkdtemp(join(folder, 'report-'));
  const report = join(reports, 'jest.json');
  const args = [
    '--experimental-vm-modules',
    '--no-warnings',
    join('node_modules', 'jest', 'bin', 'jest.js'),
    '--runInBand',
    '--forceExit',
    `--cacheDirectory=${join(folder, '.jest-cache')}`,
    `--testTimeout=${TEST_TIMEOUT_MS}`,
    '--json',
    `--outputFile=${report}`,
    `--testNamePattern=${[...new Set(catchers.map(({ test }) => literal(test)))].join('|')}`,
    '--runTestsByPath',
    ...new Set(catchers.map(({ file }) => file)),
  ];
  const { JEST_WORKER_ID: _, NODE_OPTIONS: __, ...env } = process.env;
  const timeout = AbortSignal.timeout(LONGEST_RUN_MS);
  const jest = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...env, DYNAMODB_ENDPOINT: endpoint },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    killSignal: 'SIGKILL',
  });
  let log = '';
  jest.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4_000)));
  try {
    await once(jest, 'close');
    return read(JSON.parse(await readFile(report, 'utf8')) as JestReport, folder, catchers);
  } catch (error) {
    signal?.throwIfAborted();
    return { catches: [], broken: `${timeout.aborted ? 'It did not end in time.' : String(error)}\n${log}` };
  } finally {
    await rm(reports, { recursive: true, force: true });
  }
}

function read({ testResults }: JestReport, folder: string, catchers: readonly Catcher[]): TestRun {
  // A file that does not even load has not noticed anything.
  const unloaded = testResults.find(({ assertionResults, message }) => assertionResults.length === 0 && message !== '');
  const catches = catchers.map((catcher) => {
    const results = testResults.find(({ name }) => name === join(folder, catcher.file))?.assertionResults ?? [];
    const named = results.filter(({ fullName }) => fullName.includes(catcher.test));
    return {
      catcher,
      passed: named.filter(({ status }) => status === 'passed').map(({ fullName }) => fullName),
      failed: named
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => ({ test: fullName, reason: failureMessages.join('\n') })),
    };
  });
  return { catches, broken: unloaded?.message };
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
