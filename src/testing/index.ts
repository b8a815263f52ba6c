// Aggregates
export { given, Given, type GivenOptions } from './given.js';
export { Outcome, type ErrorExpectation, type StateExpectation } from './outcome.js';
export { ScenarioFailedError } from './scenario-failed-error.js';

// The store
export { EventStoreDouble, type FaultOptions, type RecordedCommit } from './event-store-double.js';

// Nest
export {
  createEventStoreTestingModule,
  TestingApplication,
  type TestingApplicationParts,
} from './testing-application.js';
export { EventStoreTestingModule, type EventStoreTestingOptions } from './event-store-testing.module.js';
