/**
 * Changes the code of a room in every small way, and asks the tests to notice: `npm run mutation -- store`.
 *
 * Jest loads every test file for every mutant, whichever tests in it are then run, so each room names the files that
 * test it.
 */
const ROOMS = {
  // The in-memory store keeps the same contract by the same code, twice as fast.
  store: ['test/in-memory-event-store.spec.ts', 'test/store/*.spec.ts'],
  dynamodb: ['test/dynamodb-event-store.int-spec.ts', 'test/dynamodb/*.int-spec.ts', 'test/dynamodb/*.spec.ts'],
  aggregate: ['test/aggregate/*.spec.ts', 'test/nest/{unit-of-work,snapshots,module}.e2e-spec.ts'],
};

/** Each of these takes seconds, and would be run for almost every mutant. Shorter tests guard the same lines. */
const TOO_SLOW = [
  '1,000 interleaved commands',
  '8 handlers with 50 deposits',
  '10,000 of one stream',
  'a server that has become slow',
  'whatever page it waits for',
  'has lost version',
  'by the command line',
];

const room = process.env.MUTATED_ROOM ?? 'store';

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [`src/${room}/**/*.ts`],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--no-warnings'],
  jest: {
    projectType: 'custom',
    configFile: 'jest.config.js',
    // Almost every test file imports the index, and so is related to every file.
    enableFindRelatedTests: false,
    config: {
      testMatch: ROOMS[room].map((files) => `<rootDir>/${files}`),
      testNamePattern: `^(?!.*(?:${TOO_SLOW.join('|')}))`,
    },
  },
  coverageAnalysis: 'perTest',
  plugins: ['@stryker-mutator/jest-runner', './test/mutation/messages-ignorer.js'],
  ignorers: ['messages'],
  ignorePatterns: ['reports', 'docs', '.ci'],
  concurrency: 2,
  timeoutMS: 10_000,
  timeoutFactor: 2,
  reporters: ['clear-text', 'progress-append-only', 'html', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  htmlReporter: { fileName: `reports/mutation-${room}.html` },
  jsonReporter: { fileName: `reports/mutation-${room}.json` },
  tempDirName: '.stryker-tmp',
  cleanTempDir: 'always',
};
