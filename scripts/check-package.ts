import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, posix, relative } from 'node:path';
import { promisify } from 'node:util';
import { dynamoDbEndpoint } from './dynamodb-local.js';

/**
 * Packs the package and looks at it from outside: what the tarball holds, and whether applications that have nothing
 * but the tarball and its peers compile and run.
 */

const MINUTE_MS = 60_000;
const NPM_OPTIONS = ['--loglevel=error', '--no-audit', '--no-fund', '--no-update-notifier'];

const PACKAGE = 'nestjs-dynamodb-event-store';
const ROOT = dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`));

interface PackageJson {
  readonly version: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const manifest = await readPackageJson<PackageJson>(ROOT);
const peers = Object.keys(manifest.peerDependencies);
const optionalPeers = peers.filter((peer) => manifest.peerDependenciesMeta[peer]?.optional);
const neededPeers = peers.filter((peer) => !optionalPeers.includes(peer));

interface Consumer {
  readonly name: string;
  readonly type: 'module' | 'commonjs';
  readonly nest: number;
  readonly peers: readonly string[];
  /** Files of test/package to run, each with its arguments. */
  readonly programs: readonly (readonly [string, ...string[]])[];
  /** What runs the tests in test/package/testing-kit.ts. */
  readonly runners: readonly Runner[];
}

/** A test runner, which runs the file of test/package/runners with its name. */
interface Runner {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  /** What Node runs; the file comes last. */
  readonly command: readonly string[];
}

const NODE_TEST: Runner = { name: 'node-test', dependencies: {}, command: ['--test'] };

/** The newest that runs on Node 20. */
const VITEST: Runner = {
  name: 'vitest',
  dependencies: { vitest: '^4.0.0' },
  command: ['node_modules/vitest/vitest.mjs', 'run'],
};

const JEST: Runner = {
  name: 'jest',
  dependencies: { jest: '^30.0.0', '@jest/globals': '^30.0.0' },
  command: ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js'],
};

/** What is left of a failing test's difference, whichever runner shows it. */
const SHOWN_DIFFERENCES = [
  '- kit.MoneyDeposited MoneyDeposited { amount: 5 }',
  '+ kit.MoneyDeposited MoneyDeposited { amount: 6 }',
  "- Put balances { Item: { id: 'a-1', balance: 5 } }",
  "+ Put balances { Item: { id: 'a-1', balance: 6 } }",
  '- balance: 5',
  '+ balance: 6',
];

const ESM: Consumer = {
  name: 'Nest 12, ESM',
  type: 'module',
  nest: 12,
  peers,
  programs: [['scenario', 'memory'], ['scenario', 'dynamodb'], ['validation']],
  runners: [NODE_TEST, VITEST, JEST],
};

const COMMON_JS: Consumer = {
  name: 'Nest 11, CommonJS',
  type: 'commonjs',
  nest: 11,
  peers: neededPeers,
  programs: [
    ['scenario', 'memory'],
    ['scenario', 'dynamodb'],
  ],
  runners: [NODE_TEST],
};

const TSCONFIG = {
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2022'],
    types: ['node'],
    strict: true,
    skipLibCheck: false,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    noEmitOnError: true,
    rootDir: 'src',
    outDir: 'dist',
  },
  include: ['src'],
};

/** What is used of TypeScript 5, whose interface TypeScript 7 does not have. */
interface TypeScript5 {
  preProcessFile(
    text: string,
    readImportFiles: boolean,
    detectJavaScriptImports: boolean,
  ): Record<'importedFiles' | 'typeReferenceDirectives', readonly { readonly fileName: string }[]>;
}

/** A step failed, and has been reported. */
class StepFailedError extends Error {}

const started = Date.now();
const folder = await mkdtemp(join(tmpdir(), 'check-package-'));
const tarball = join(folder, `${PACKAGE}-${manifest.version}.tgz`);
try {
  await checkPackage();
  console.log(`The package ${PACKAGE} ${manifest.version} works (${secondsSince(started)}).`);
} catch (error) {
  if (!(error instanceof StepFailedError)) throw error;
  console.error(`The package ${PACKAGE} ${manifest.version} does NOT work (${secondsSince(started)}).`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function checkPackage(): Promise<void> {
  await step('npm pack', pack);
  await forEachConsumer((consumer) => step(`${consumer.name}: npm install`, () => install(consumer)));
  const packed = join(modulesOf(ESM), PACKAGE);
  await step('Files in the tarball', () => checkFiles(packed));
  await step('Imports in the tarball', () => checkImports(packed));
  await forEachConsumer(async (consumer) => {
    await step(`${consumer.name}: compile`, () => compile(consumer));
    await step(`${consumer.name}: command line`, () => runCommandLine(consumer));
    for (const runner of consumer.runners) {
      await step(`${consumer.name}: tests with ${runner.name}`, () => runTests(consumer, runner));
    }
  });

  const dynamoDb = await step('DynamoDB', dynamoDbEndpoint);
  try {
    await forEachConsumer(async (consumer) => {
      for (const [program, ...args] of consumer.programs) {
        const name = `${consumer.name}: ${[program, ...args].join(' ')}`;
        await step(name, () => runProgram(consumer, program, args, dynamoDb.endpoint));
      }
    });
  } finally {
    await dynamoDb.stop();
  }
}

async function pack(): Promise<void> {
  await run('npm', ['pack', ...NPM_OPTIONS, '--pack-destination', folder], { cwd: ROOT });
}

/** Returns what was installed. */
async function install(consumer: Consumer): Promise<string> {
  const cwd = folderOf(consumer);
  const source = join(cwd, 'src');
  await mkdir(source, { recursive: true });
  const ranges = consumer.peers.map((peer) => [
    peer,
    peer.startsWith('@nestjs/') ? `^${consumer.nest}.0.0` : manifest.peerDependencies[peer],
  ]);
  const packageJson = {
    private: true,
    type: consumer.type,
    dependencies: {
      [PACKAGE]: `file:${tarball}`,
      ...Object.fromEntries(ranges),
      typescript: '^5.9.0',
      '@types/node': '^20.0.0',
      ...Object.assign({}, ...consumer.runners.map(({ dependencies }) => dependencies)),
    },
    jest: { testMatch: ['<rootDir>/tests/jest.test.mjs'], transform: {} },
  };
  await writeFile(join(cwd, 'package.json'), JSON.stringify(packageJson));
  await writeFile(join(cwd, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  for (const program of [...consumer.programs.map(([name]) => name), 'testing-kit']) {
    await copyFile(join(ROOT, 'test', 'package', `${program}.ts`), join(source, `${program}.ts`));
  }
  const tests = join(cwd, 'tests');
  await mkdir(tests);
  for (const { name } of consumer.runners) {
    await copyFile(join(ROOT, 'test', 'package', 'runners', `${name}.test.mjs`), join(tests, `${name}.test.mjs`));
  }
  await run('npm', ['install', ...NPM_OPTIONS, '--no-package-lock'], { cwd });

  const modules = modulesOf(consumer);
  const unwanted = peers.filter((peer) => !consumer.peers.includes(peer) && existsSync(join(modules, peer)));
  failOn(unwanted.map((peer) => `${peer} is optional, but was installed.`));
  const named = ['@nestjs/core', '@nestjs/cqrs', '@aws-sdk/client-dynamodb', 'typescript'];
  const versions = named.map(async (name) => `${name} ${(await readPackageJson(join(modules, name))).version}`);
  return (await Promise.all(versions)).join(', ');
}

/** What src compiles to, and the four files that belong to every package. */
async function checkFiles(packed: string): Promise<string> {
  const modules = (await filesIn(join(ROOT, 'src'))).map((file) => `dist/${file.replace(/\.ts$/, '')}`);
  const compiled = modules.flatMap((module) => [`${module}.js`, `${module}.js.map`, `${module}.d.ts`]);
  const expected = new Set(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', ...compiled]);
  const actual = new Set(await filesIn(packed));
  failOn([
    ...[...expected].filter((file) => !actual.has(file)).map((file) => `${file} is missing.`),
    ...[...actual].filter((file) => !expected.has(file)).map((file) => `${file} does not belong there.`),
  ]);
  return `${actual.size}`;
}

async function checkImports(packed: string): Promise<string> {
  const { preProcessFile } = createRequire(join(packed, 'package.json'))('typescript') as TypeScript5;
  const files = await filesIn(packed);
  const faults: string[] = [];
  let count = 0;
  for (const file of files.filter((name) => name.endsWith('.js') || name.endsWith('.d.ts'))) {
    const declares = file.endsWith('.d.ts');
    // Declarations that name an optional peer would not compile without it.
    const allowedPeers = declares ? neededPeers : peers;
    const text = await readFile(join(packed, file), 'utf8');
    const { importedFiles, typeReferenceDirectives } = preProcessFile(text, true, !declares);
    for (const { fileName: specifier } of [...importedFiles, ...typeReferenceDirectives]) {
      count++;
      const allowed = specifier.startsWith('.')
        ? files.includes(posix.join(posix.dirname(file), specifier))
        : specifier.startsWith('node:') || allowedPeers.includes(specifier);
      if (!allowed) faults.push(`${file} must not import "${specifier}".`);
    }
    if (!declares && !file.startsWith('dist/dynamodb/') && text.includes('@aws-sdk/')) {
      faults.push(`${file} must leave the AWS SDK to dist/dynamodb.`);
    }
  }
  failOn(faults);
  return `${count}`;
}

/** Checks the types of all declaration files too, and emits nothing when there is an error. */
async function compile(consumer: Consumer): Promise<void> {
  const compiler = join(modulesOf(consumer), 'typescript', 'bin', 'tsc');
  await run(process.execPath, [compiler], { cwd: folderOf(consumer) });
}

async function runCommandLine(consumer: Consumer): Promise<void> {
  await run(join(modulesOf(consumer), '.bin', PACKAGE), ['--help'], { cwd: folderOf(consumer) });
}

async function runProgram(
  consumer: Consumer,
  program: string,
  args: readonly string[],
  endpoint: string,
): Promise<string> {
  return run(process.execPath, [join('dist', `${program}.js`), ...args], {
    cwd: folderOf(consumer),
    env: { DYNAMODB_ENDPOINT: endpoint },
    timeoutMs: MINUTE_MS,
  });
}

/** The tests pass, and where one has to fail, the runner notices and shows why. */
async function runTests(consumer: Consumer, { name, command }: Runner): Promise<void> {
  const args = [...command, join('tests', `${name}.test.mjs`)];
  const options = { cwd: folderOf(consumer), timeoutMs: MINUTE_MS };
  await run(process.execPath, args, options);
  const failing = run(process.execPath, args, { ...options, env: { KIT_FAILS: 'yes', NO_COLOR: '1' } });
  const output = await failing.then(
    () => '',
    (error: Error) => error.message,
  );
  failOn(
    SHOWN_DIFFERENCES.filter((line) => !output.includes(line)).map(
      (line) => `A failing test must be reported with "${line}". Reported was:\n${output}`,
    ),
  );
}

/** Prints how the step went, with its result if that is text. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const begin = Date.now();
  try {
    const result = await work();
    const shown = typeof result === 'string' ? `: ${result}` : '';
    console.log(`ok      ${name}${shown} (${secondsSince(begin)})`);
    return result;
  } catch (error) {
    console.error(
      `FAILED  ${name} (${secondsSince(begin)})\n${error instanceof Error ? error.message : String(error)}`,
    );
    throw new StepFailedError(name, { cause: error });
  }
}

/** Side by side. When one fails, the others still finish. */
async function forEachConsumer(work: (consumer: Consumer) => Promise<unknown>): Promise<void> {
  const results = await Promise.allSettled([ESM, COMMON_JS].map((consumer) => work(consumer)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Returns what the command printed, or throws it when the command fails or does not end. */
async function run(
  command: string,
  args: readonly string[],
  { cwd, env, timeoutMs = 10 * MINUTE_MS }: RunOptions,
): Promise<string> {
  try {
    const options = { cwd, env: { ...process.env, ...env }, timeout: timeoutMs, maxBuffer: 2 ** 26 };
    return (await promisify(execFile)(command, args, options)).stdout.trim();
  } catch (error) {
    const { killed, message, stdout = '', stderr = '' } = error as Error & Partial<ExecFailure>;
    const problem = killed ? `It did not end within ${timeoutMs / 1000} s.` : '';
    const output = [problem, stdout.trim(), stderr.trim()].filter((part) => part !== '').join('\n') || message;
    // npm names the registry, with the credentials that its address may hold.
    throw new Error(output.replaceAll(/https?:\/\/\S+/g, '<address>'), { cause: error });
  }
}

interface ExecFailure {
  readonly killed: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

function failOn(faults: readonly string[]): void {
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

function folderOf({ nest }: Consumer): string {
  return join(folder, `nest-${nest}`);
}

function modulesOf(consumer: Consumer): string {
  return join(folderOf(consumer), 'node_modules');
}

/** All files below a folder, as paths from there. */
async function filesIn(parent: string): Promise<string[]> {
  const entries = await readdir(parent, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(parent, join(parentPath, name)));
}

async function readPackageJson<T extends { readonly version: string }>(location: string): Promise<T> {
  return JSON.parse(await readFile(join(location, 'package.json'), 'utf8')) as T;
}

function secondsSince(time: number): string {
  return `${((Date.now() - time) / 1000).toFixed(1)} s`;
}
