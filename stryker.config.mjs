/**
 * Changes the code of a room in every small way, and asks the tests to notice: `npm run mutation -- store`.
 *
 * Jest loads every test file anew for every mutant, so the tests of a room are imported by one file,
 * `test/mutation/<room>.tests.ts`, and end with the first that fails.
 */

/** Each of these takes seconds, and would be run for almost every mutant. Shorter tests guard the same lines. */
const TOO_SLOW = [
  '1,000 interleaved commands',
  '8 handlers with 50 deposits',
  '10,000 of one stream',
  'a server that has become slow',
  'whatever page it waits for',
  'has lost version',
  'by the command line',
  'nobody answers about',
  'takes 100 events in one commit',
  'count in the limit of a commit',
  'spread over the slices',
  'without a gap or a loss',
  'however many others there are',
  'that ask for more and more',
  'its page is used up',
  'has each event once',
  'what a skipped event wrote',
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
      testMatch: [`<rootDir>/test/mutation/${room}.tests.ts`],
      testEnvironment: './test/mutation/first-failure-environment.cjs',
      testTimeout: 5000,
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
