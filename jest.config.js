// Each DynamoDB Local of the tests lives too short for a compiler that takes long to make it fast.
process.env.JAVA_TOOL_OPTIONS ??= '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test', '<rootDir>/example-app'],
  // The starter of DynamoDB Local is tested where it is in use, as it needs Java.
  testPathIgnorePatterns: process.env.DYNAMODB_ENDPOINT ? ['test/scripts/dynamodb-local'] : [],
  testMatch: ['**/*.spec.ts', '**/*.int-spec.ts', '**/*.e2e-spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
      },
    ],
  },
  moduleNameMapper: {
    '^nestjs-dynamodb-event-store$': '<rootDir>/src/index.ts',
    '^nestjs-dynamodb-event-store/testing$': '<rootDir>/src/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  globalSetup: '<rootDir>/test/setup/start-dynamodb.js',
  setupFiles: ['<rootDir>/test/setup/own-dynamodb.js'],
  globalTeardown: '<rootDir>/test/setup/stop-dynamodb.js',
  testTimeout: 30_000,
  maxWorkers: 2,
};
