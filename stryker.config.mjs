/**
 * Changes the code of a room, or a part of one, in every small way, and asks the tests to notice: `npm run mutation -- store`.
 *
 * Jest loads every test file anew for every mutant, so the tests of a part are imported by one file,
 * `test/mutation/<part>.tests.ts`, and end with the first that fails.
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
  'gives credentials any more',
  'takes 100 events in one commit',
  'count in the limit of a commit',
  'spread over the slices',
  'without a gap or a loss',
  'however many others there are',
  'that ask for more and more',
  'its page is used up',
  'has each event once',
  'what a skipped event wrote',
  'that is not there at all',
  'reads a stream of several pages',
  'whose pages end between commits',
  'refuses a commit over 4 MB',
  'nothing answers the first attempt',
  'is black-holed',
  'that is still under way',
  'ends every operation at its deadline',
  'where many events have one time',
  'in under half a second',
  'gives way to the feed',
  'by several processes',
  'the deadline anew for each page',
];

/** One file runs several contracts, or one with several stores. */
const OF_OTHER_PARTS = {
  aggregate: ['\\(dynamodb\\)'],
  'dynamodb-commits': ['answers queries'],
  'dynamodb-indexes': ['keeps the contract of'],
};

const OWN_DYNAMODB = new URL('test/mutation/own-dynamodb.js', import.meta.url);

const inDynamoDb = (...names) => names.map((name) => `src/dynamodb/${name}.ts`);

/** What is mutated in one run. A room whose tests take a minute is split, as a mutant that survives meets them all. */
const PARTS = {
  store: ['src/store/**/*.ts'],
  aggregate: ['src/aggregate/**/*.ts'],
  'dynamodb-commits': [
    'src/dynamodb/**/*.ts',
    ...inDynamoDb('index-*', '*-feed', '*-stream', 'stream-record', 'table*', 'provision', 'policies').map(
      (file) => `!${file}`,
    ),
  ],
  'dynamodb-indexes': inDynamoDb('index-*', '*-feed', '*-stream', 'stream-record'),
  'dynamodb-tables': inDynamoDb('table*', 'provision', 'policies'),
};

const part = process.env.MUTATED_PART ?? 'store';

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: PARTS[part],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--no-warnings', `--import=${OWN_DYNAMODB}`],
  jest: {
    projectType: 'custom',
    configFile: 'jest.config.js',
    // Almost every test file imports the index, and so is related to every file.
    enableFindRelatedTests: false,
    config: {
      testMatch: [`<rootDir>/test/mutation/${part}.tests.ts`],
      testEnvironment: './test/mutation/first-failure-environment.cjs',
      testTimeout: 5000,
      testNamePattern: `^(?!.*(?:${[...TOO_SLOW, ...(OF_OTHER_PARTS[part] ?? [])].join('|')}))`,
    },
  },
  coverageAnalysis: 'perTest',
  plugins: ['@stryker-mutator/jest-runner', './test/mutation/messages-ignorer.js'],
  ignorers: ['messages'],
  ignorePatterns: ['reports', 'docs', '.ci'],
  concurrency: 2,
  // A mutant may leave what it began running for ever, and its DynamoDB Local becomes slower.
  maxTestRunnerReuse: 25,
  timeoutMS: 5000,
  timeoutFactor: 1.25,
  ignoreStatic: true,
  reporters: ['clear-text', 'progress-append-only', 'html', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  htmlReporter: { fileName: `reports/mutation-${part}.html` },
  jsonReporter: { fileName: `reports/mutation-${part}.json` },
  tempDirName: '.stryker-tmp',
  cleanTempDir: 'always',
};
