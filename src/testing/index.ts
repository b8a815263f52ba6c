// Aggregates
export { given, Given, type GivenOptions } from './given.js';
export { Outcome } from './outcome.js';
export type { ErrorExpectation } from './error-expectation.js';
export type { StateExpectation } from './state-expectation.js';

// Projections
export { givenProjection, GivenProjection } from './given-projection.js';
export { ProjectionOutcome, type WritesExpectation } from './projection-outcome.js';
export { recorded, type RecordedHistory, type RecordedOptions } from './recorded-history.js';

// Both
export { ScenarioFailedError } from './scenario-failed-error.js';

// The store
export { EventStoreDouble, type FaultOptions, type RecordedCommit } from './event-store-double.js';
export { BookkeepingDouble, type ProjectedWrites } from './bookkeeping-double.js';

// Nest
export {
  createEventStoreTestingModule,
  TestingApplication,
  type TestingApplicationParts,
} from './testing-application.js';
export { EventStoreTestingModule, type EventStoreTestingOptions } from './event-store-testing.module.js';
export { untilProjected, type UntilProjectedOptions } from './until-projected.js';
