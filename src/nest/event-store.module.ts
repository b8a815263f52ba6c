import {
  Inject,
  Logger,
  Module,
  Optional,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { AggregateRegistrationError } from '../aggregate/aggregate-errors.js';
import { AggregateRegistry } from '../aggregate/aggregate-registry.js';
import { AggregateRepository } from '../aggregate/aggregate-repository.js';
import type { AggregateRoot } from '../aggregate/aggregate-root.js';
import { SnapshotWriter } from '../aggregate/snapshot-writer.js';
import { UnitsOfWork } from '../aggregate/units-of-work.js';
import type { DynamoDbConnection } from '../dynamodb/dynamodb-connection.js';
import { DynamoDbEventStream, STREAMS_PACKAGE } from '../dynamodb/dynamodb-event-stream.js';
import { provisionTables } from '../dynamodb/provision.js';
import { checkTables } from '../dynamodb/table-check.js';
import type { Class } from '../event/class-type.js';
import { EventRegistry } from '../event/event-registry.js';
import { eventTypeOf } from '../event/event-type.js';
import { EventStore } from '../store/event-store.js';
import type { EventStream } from '../store/event-stream.js';
import { InlineProjections } from '../subscription/inline-projections.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { COMMAND_CONTEXT_SOURCES } from './command-context.interceptor.js';
import { CommandUnitOfWork } from './command-unit-of-work.js';
import { CommittedEvents } from './committed-events.js';
import { InvalidConfigurationError, type EventStoreSettings } from './event-store-options.js';
import { ProjectionExplorer } from './projection-explorer.js';
import { EVENTS_ARE_PUSHED } from './pushed-events.module.js';
import { getAggregateRepositoryToken } from './inject-aggregate-repository.js';
import { CONNECTION, eventStoreProviders, OptionsModule, SETTINGS } from './event-store-providers.js';

/**
 * The event store of an application. Import `forRoot` once, in the root module, and `forFeature` wherever
 * aggregates are declared.
 */
@Module({
  providers: eventStoreProviders,
  exports: [
    COMMAND_CONTEXT_SOURCES,
    EventStore,
    EventRegistry,
    AggregateRegistry,
    UnitsOfWork,
    CommittedEvents,
    Subscriptions,
  ],
})
export class EventStoreModule
  extends OptionsModule
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  private stream: EventStream | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: EventStoreSettings,
    @Inject(CONNECTION) private readonly connection: DynamoDbConnection | null,
    @Inject(EventRegistry) private readonly registry: EventRegistry,
    @Inject(CommandUnitOfWork) private readonly commands: CommandUnitOfWork,
    @Inject(UnitsOfWork) private readonly units: UnitsOfWork,
    @Inject(SnapshotWriter) private readonly snapshots: SnapshotWriter,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(Subscriptions) private readonly subscriptions: Subscriptions,
    @Inject(ProjectionExplorer) private readonly projections: ProjectionExplorer,
    @Inject(InlineProjections) private readonly inline: InlineProjections,
    @Optional() @Inject(EVENTS_ARE_PUSHED) private readonly eventsArePushed = false,
  ) {
    super();
  }

  /**
   * Registers aggregates with all their events, and provides their repositories. Event classes that belong to no
   * aggregate here, as for imports and tools, may stand in the list too.
   *
   * @throws AggregateRegistrationError, EventRegistrationError at start-up, naming the class and the fix
   */
  static forFeature(classes: readonly Class[]): DynamicModule {
    if (classes.includes(undefined as never)) {
      throw new AggregateRegistrationError('forFeature got undefined in place of a class: look for a circular import.');
    }
    const aggregates = classes.filter((candidate) => !eventTypeOf(candidate)) as Class<AggregateRoot>[];
    const events = classes.filter((candidate) => eventTypeOf(candidate));
    const repositories = aggregates.map((aggregateClass) => repositoryProvider(aggregateClass));
    return {
      module: EventStoreFeatureModule,
      providers: [
        ...repositories,
        { provide: Symbol('events'), inject: [EventRegistry], useFactory: registering(events) },
      ],
      exports: repositories.map(({ provide }) => provide),
    };
  }

  async onModuleInit(): Promise<void> {
    this.projections.addAll();
    if (!this.inline.isEmpty) this.store.joinCommits = (events) => this.inline.writesOf(events);
    this.store.follow = (options) => this.subscriptions.pull(options);
    await this.registry.prepareValidation();
    await this.openTables();
    if (this.reads) await this.openStream();
    this.commands.install();
  }

  /** Not before all of the application is there, which the projections may use. */
  onApplicationBootstrap(): void {
    if (this.reads) this.subscriptions.start();
  }

  async onModuleDestroy(): Promise<void> {
    // What projections use may end after this.
    await this.subscriptions.stop();
    this.stream?.close();
    await this.commands.settle();
  }

  async onApplicationShutdown(): Promise<void> {
    // Nest has closed the HTTP server by now; until then its requests went on to send commands.
    // What is saved outside of commands has event handlers as well, and these may store something themselves.
    await this.store.settle();
    await this.commands.end();
    await this.store.settle();
    this.units.end();
    await this.snapshots.drain();
    this.connection?.close();
  }

  /** Whether this process looks for events. */
  private get reads(): boolean {
    return (this.settings.subscriptions.run ?? true) && !this.eventsArePushed;
  }

  private async openStream(): Promise<void> {
    const { tables, deadlineMs, subscriptions } = this.settings;
    if (!this.connection || subscriptions.source !== 'streams') return;
    const { client } = this.connection;
    try {
      this.stream = await DynamoDbEventStream.open({ client, tableName: tables.events, deadlineMs });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
      throw new InvalidConfigurationError(
        `subscriptions.source 'streams' needs a package: npm install ${STREAMS_PACKAGE}`,
      );
    }
    this.subscriptions.follow(this.stream);
  }

  private async openTables(): Promise<void> {
    if (!this.connection) return;
    const { client } = this.connection;
    const { tables, provision } = this.settings;
    const logger = new Logger('EventStore');
    if (provision) return provisionTables(client, tables, (step) => logger.log(step));
    const onUnchecked = (tableName: string) =>
      logger.warn(`Table "${tableName}" is not checked, as this role lacks dynamodb:DescribeTable on it.`);
    await checkTables(client, tables, onUnchecked);
  }
}

@Module({})
class EventStoreFeatureModule {}

function repositoryProvider(aggregateClass: Class<AggregateRoot>): FactoryProvider {
  return {
    provide: getAggregateRepositoryToken(aggregateClass),
    inject: [AggregateRegistry, EventStore, EventRegistry, UnitsOfWork, CommittedEvents],
    useFactory: (
      aggregates: AggregateRegistry,
      store: EventStore,
      registry: EventRegistry,
      units: UnitsOfWork,
      committed: CommittedEvents,
    ) => {
      const definition = aggregates.register(aggregateClass);
      const publish = (events: readonly object[]) => committed.publish(events);
      return new AggregateRepository(aggregateClass, definition, { store, registry, units, publish });
    },
  };
}

function registering(events: readonly Class[]): (registry: EventRegistry) => null {
  return (registry) => {
    registry.register(...events);
    return null;
  };
}
