import { ConfigurableModuleBuilder, Logger, type Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { AggregateRegistry } from '../aggregate/aggregate-registry.js';
import { SnapshotWriter } from '../aggregate/snapshot-writer.js';
import { UnitsOfWork } from '../aggregate/units-of-work.js';
import { DynamoDbBookkeeping } from '../dynamodb/dynamodb-bookkeeping.js';
import { DynamoDbConnection } from '../dynamodb/dynamodb-connection.js';
import { DynamoDbEventFeed } from '../dynamodb/dynamodb-event-feed.js';
import { DynamoDbEventStore } from '../dynamodb/dynamodb-event-store.js';
import { EventRegistry } from '../event/event-registry.js';
import { Bookkeeping } from '../store/bookkeeping.js';
import { EventFeed } from '../store/event-feed.js';
import { EventStore } from '../store/event-store.js';
import { InMemoryBookkeeping } from '../store/in-memory-bookkeeping.js';
import { InMemoryEventFeed } from '../store/in-memory-event-feed.js';
import { InMemoryEventStore } from '../store/in-memory-event-store.js';
import { InlineProjections } from '../subscription/inline-projections.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { COMMAND_CONTEXT_SOURCES } from './command-context.interceptor.js';
import { CommandUnitOfWork } from './command-unit-of-work.js';
import { CommittedEvents } from './committed-events.js';
import { IdempotentCommands } from './idempotent-commands.js';
import { settingsFrom, type EventStoreModuleOptions, type EventStoreSettings } from './event-store-options.js';
import { ProjectionExplorer } from './projection-explorer.js';
import { subscriptionTiming } from './subscription-timing.js';

const { ConfigurableModuleClass: OptionsModule, MODULE_OPTIONS_TOKEN: MODULE_OPTIONS } =
  new ConfigurableModuleBuilder<EventStoreModuleOptions>()
    .setClassMethodName('forRoot')
    .setExtras({}, (definition) => ({ ...definition, global: true }))
    .build();

/** What gives the module its `forRoot` and `forRootAsync`. */
export { OptionsModule };

export const SETTINGS = Symbol('EventStoreSettings');

/** The connection to DynamoDB, null for the in-memory store. */
export const CONNECTION = Symbol('DynamoDbConnection');

export const eventStoreProviders: Provider[] = [
  { provide: SETTINGS, inject: [MODULE_OPTIONS], useFactory: settingsFrom },
  {
    provide: COMMAND_CONTEXT_SOURCES,
    inject: [SETTINGS],
    useFactory: ({ commandContext }: EventStoreSettings) => commandContext,
  },
  {
    provide: CONNECTION,
    inject: [SETTINGS],
    useFactory: (settings: EventStoreSettings) =>
      settings.storage === 'memory' ? null : new DynamoDbConnection(settings),
  },
  {
    provide: EventRegistry,
    inject: [SETTINGS],
    useFactory: ({ valueTypes, validateOnLoad }: EventStoreSettings) =>
      new EventRegistry({ valueTypes, validateOnLoad }),
  },
  {
    provide: EventStore,
    inject: [SETTINGS, CONNECTION, EventRegistry],
    useFactory: (
      { tables, deadlineMs, requireTenant }: EventStoreSettings,
      connection: DynamoDbConnection | null,
      registry: EventRegistry,
    ) =>
      connection
        ? new DynamoDbEventStore({ client: connection.client, tables, registry, deadlineMs, requireTenant })
        : new InMemoryEventStore(registry, { requireTenant }),
  },
  {
    provide: EventFeed,
    inject: [SETTINGS, CONNECTION, EventStore],
    useFactory: (
      { tables, deadlineMs }: EventStoreSettings,
      connection: DynamoDbConnection | null,
      store: EventStore,
    ) =>
      connection
        ? new DynamoDbEventFeed({ client: connection.client, tableName: tables.events, deadlineMs })
        : new InMemoryEventFeed(store as InMemoryEventStore),
  },
  {
    provide: Bookkeeping,
    inject: [SETTINGS, CONNECTION],
    useFactory: ({ tables, deadlineMs }: EventStoreSettings, connection: DynamoDbConnection | null) =>
      connection
        ? new DynamoDbBookkeeping({ client: connection.client, tableName: tables.bookkeeping, deadlineMs })
        : new InMemoryBookkeeping(),
  },
  {
    provide: Subscriptions,
    inject: [EventFeed, Bookkeeping, EventRegistry, SETTINGS],
    useFactory: (feed: EventFeed, bookkeeping: Bookkeeping, registry: EventRegistry, settings: EventStoreSettings) => {
      const logger = new Logger('EventStore');
      const timing = subscriptionTiming(settings, feed.pace);
      return new Subscriptions(feed, bookkeeping, registry, timing, (message) => logger.error(message));
    },
  },
  {
    provide: AggregateRegistry,
    inject: [EventRegistry],
    useFactory: (events: EventRegistry) => new AggregateRegistry(events),
  },
  {
    provide: SnapshotWriter,
    inject: [EventStore, SETTINGS],
    useFactory: (store: EventStore, { waitForSnapshots }: EventStoreSettings) =>
      new SnapshotWriter(store, waitForSnapshots),
  },
  {
    provide: UnitsOfWork,
    inject: [EventStore, EventRegistry, SnapshotWriter],
    useFactory: (store: EventStore, registry: EventRegistry, snapshots: SnapshotWriter) =>
      new UnitsOfWork(store, registry, snapshots),
  },
  InlineProjections,
  {
    provide: ProjectionExplorer,
    inject: [ModulesContainer, Subscriptions, AggregateRegistry, EventRegistry, Bookkeeping, InlineProjections],
    useFactory: (
      modules: ModulesContainer,
      subscriptions: Subscriptions,
      aggregates: AggregateRegistry,
      registry: EventRegistry,
      bookkeeping: Bookkeeping,
      inline: InlineProjections,
    ) => new ProjectionExplorer(modules, subscriptions, aggregates, registry, bookkeeping, inline),
  },
  {
    provide: CommittedEvents,
    inject: [ModulesContainer],
    useFactory: (modules: ModulesContainer) => new CommittedEvents(modules),
  },
  {
    provide: CommandUnitOfWork,
    inject: [ModulesContainer, UnitsOfWork, CommittedEvents, EventStore, EventRegistry, SETTINGS],
    useFactory: (
      modules: ModulesContainer,
      units: UnitsOfWork,
      events: CommittedEvents,
      store: EventStore,
      registry: EventRegistry,
      { conflictRetries, keepIdempotencyKeysMs }: EventStoreSettings,
    ) => {
      const idempotent = new IdempotentCommands(store, registry, keepIdempotencyKeysMs);
      return new CommandUnitOfWork(modules, units, events, idempotent, conflictRetries);
    },
  },
];
