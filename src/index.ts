// Events
export type { Class } from './event/class-type.js';
export type { ValueType } from './event/value-type.js';
export { causedBy, CommandContext, type CommandContextValues } from './event/command-context.js';
export {
  CorruptStreamError,
  EventRegistrationError,
  InvalidEventError,
  InvalidStreamIdError,
  UnknownEventTypeError,
  UnserializableEventError,
} from './event/event-errors.js';
export type { EventMetadata } from './event/event-metadata.js';
export { EventRegistry, type EventRegistryOptions } from './event/event-registry.js';
export { EventStoreError, type EventStoreErrorCode } from './event/event-store-error.js';
export { EventType, type EventTypeOptions, type Upcast } from './event/event-type.js';
export { On } from './event/on.js';
export { recordedEventOf, type RecordedEvent, type RecordedVersion } from './event/recorded-event.js';
export type { StreamId } from './event/stream-id.js';

// Aggregates
export {
  Aggregate,
  type AggregateOptions,
  type SnapshotMigration,
  type SnapshotPolicy,
} from './aggregate/aggregate-definition.js';
export {
  AggregateNotFoundError,
  AggregateRegistrationError,
  AggregateUnusableError,
  MissingApplierError,
  NestedCommandFailedError,
  UnitOfWorkClosedError,
} from './aggregate/aggregate-errors.js';
export { AggregateRepository, type PastMoment } from './aggregate/aggregate-repository.js';
export { AggregateRoot, type Snapshotting } from './aggregate/aggregate-root.js';

// Stores
export type {
  AppendReference,
  Commit,
  CommitReference,
  CommitResult,
  StreamAppend,
  StreamHead,
  UniqueChange,
} from './store/commit.js';
export type { CommitOutcome } from './store/commit-outcome.js';
export type { EventPosition, EventQuery, QueryBy, QueryPosition, QueryRange } from './store/event-query.js';
export {
  EventStore,
  type AppendOptions,
  type OperationOptions,
  type ReadRange,
  type TenantOptions,
} from './store/event-store.js';
export type { EventSubscription, SubscribeOptions } from './store/event-subscription.js';
export { ANY_VERSION, NO_STREAM, type ExpectedVersion } from './store/expected-version.js';
export type { IdempotencyKey, IdempotencyRecord, StoredIdempotencyRecord } from './store/idempotency.js';
export { InMemoryEventStore } from './store/in-memory-event-store.js';
export type { Snapshot, SnapshotState, StreamSinceSnapshot } from './store/snapshot.js';
export {
  CommitOutcomeUnknownError,
  CommitTooLargeError,
  ConcurrencyError,
  DuplicateCommandError,
  type DuplicateReason,
  EventStoreUnavailableError,
  InvalidCommitError,
  MissingTenantError,
  OperationAbortedError,
  UniqueConstraintError,
} from './store/store-errors.js';

// Subscriptions
export type { ParkedEvent } from './subscription/parking.js';
export {
  Projection,
  type PoisonPolicy,
  type ProjectionContext,
  type ProjectionOptions,
} from './subscription/projection.js';
export type { ProjectionTransaction } from './subscription/projection-transaction.js';
export { ProjectionError, SubscriptionError } from './subscription/subscription-errors.js';
export { Subscriptions } from './subscription/subscriptions.js';
export type {
  PartitionStatus,
  RebuildProgress,
  SubscriptionLag,
  SubscriptionStatus,
} from './subscription/subscription-status.js';
export { TableWriteRefusedError, type TableWrite } from './store/table-write.js';

// DynamoDB
export { DynamoDbEventStore, type DynamoDbEventStoreOptions } from './dynamodb/dynamodb-event-store.js';
export type { ItemImage, StreamRecord } from './dynamodb/stream-record.js';
export { provisionTables } from './dynamodb/provision.js';
export type { TableNames } from './dynamodb/table.js';
export { TableError } from './dynamodb/table-check.js';

// Nest
export {
  CommandContextInterceptor,
  type CommandContextSources,
  type ReadFromRequest,
} from './nest/command-context.interceptor.js';
export { ConflictRetries, Idempotent, OwnUnitOfWork } from './nest/command-options.js';
export { EventStoreExceptionFilter } from './nest/event-store-exception.filter.js';
export {
  InvalidConfigurationError,
  type EventStoreModuleOptions,
  type SubscriptionOptions,
} from './nest/event-store-options.js';
export { EventStoreModule } from './nest/event-store.module.js';
export { getAggregateRepositoryToken, InjectAggregateRepository } from './nest/inject-aggregate-repository.js';
export {
  createStreamHandler,
  type InvocationContext,
  type StreamBatch,
  type StreamBatchResponse,
  type StreamHandler,
  type StreamHandlerOptions,
} from './nest/stream-handler.js';
