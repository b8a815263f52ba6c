import {
  Module,
  type INestApplicationContext,
  type InjectionToken,
  type LoggerService,
  type LogLevel,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CqrsModule } from '@nestjs/cqrs';
import { aggregateDefinitionOf } from '../aggregate/aggregate-definition.js';
import type { AggregateRepository } from '../aggregate/aggregate-repository.js';
import type { AggregateRoot } from '../aggregate/aggregate-root.js';
import type { Class } from '../event/class-type.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import { EventStoreModule } from '../nest/event-store.module.js';
import { getAggregateRepositoryToken } from '../nest/inject-aggregate-repository.js';
import type { TableWrite } from '../store/table-write.js';
import { laterGeneration } from '../subscription/generation.js';
import { projectionDefinitionOf } from '../subscription/projection.js';
import { BookkeepingDouble } from './bookkeeping-double.js';
import { EventStoreDouble } from './event-store-double.js';
import { EventStoreTestingModule, type EventStoreTestingOptions } from './event-store-testing.module.js';
import { untilProjected, type UntilProjectedOptions } from './until-projected.js';

export interface TestingApplicationParts {
  /** What `EventStoreModule.forFeature` takes. */
  readonly aggregates?: readonly Class[];
  /** Command handlers, event handlers, sagas, projections, and whatever they inject. */
  readonly providers?: NonNullable<ModuleMetadata['providers']>;
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  readonly options?: EventStoreTestingOptions;
  /** Of Nest; default `['fatal', 'error', 'warn']`. */
  readonly logger?: LoggerService | LogLevel[] | false;
}

/**
 * A whole Nest application, started, with the command bus, the real EventStoreModule and an `EventStoreDouble`. Close it
 * after the test.
 *
 * @example const app = await createEventStoreTestingModule({ aggregates: [Account], providers: [DepositHandler] });
 */
export async function createEventStoreTestingModule(parts: TestingApplicationParts): Promise<TestingApplication> {
  const { aggregates = [], providers = [], imports = [], options, logger = ['fatal', 'error', 'warn'] } = parts;
  const root = {
    module: TestingRootModule,
    imports: [
      CqrsModule.forRoot(),
      EventStoreTestingModule.forRoot(options),
      EventStoreModule.forFeature(aggregates),
      ...imports,
    ],
    providers,
  };
  // Otherwise Nest ends the process, and with it the whole test run, when the application does not start.
  const context = await NestFactory.createApplicationContext(root, { logger, abortOnError: false });
  return new TestingApplication(context);
}

@Module({})
class TestingRootModule {}

/** What {@link createEventStoreTestingModule} started. */
export class TestingApplication {
  readonly commands: CommandBus;
  readonly store: EventStoreDouble;

  constructor(readonly context: INestApplicationContext) {
    this.commands = this.get(CommandBus);
    this.store = this.get(EventStoreDouble);
  }

  /** Stores history that the test starts from, for the tenant of the running `CommandContext`. */
  async given(aggregateClass: Class<AggregateRoot>, id: string, history: readonly object[]): Promise<void> {
    const aggregateType = aggregateDefinitionOf(aggregateClass)?.name ?? aggregateClass.name;
    await this.store.seed({ aggregateType, aggregateId: id }, history);
  }

  /**
   * The events that commands have stored, as instances of their classes: commit by commit, and in each stream in their
   * order. The streams of one commit stand as their aggregates were loaded, and side by side no order is promised.
   */
  events(): object[] {
    return this.recordedEvents().map(({ event }) => event);
  }

  /** The same with their streams, versions and metadata. */
  recordedEvents(): RecordedEvent[] {
    return this.store.commits.flatMap(({ events }) => events);
  }

  /**
   * Waits until every projection has handled all that is stored.
   *
   * @throws ScenarioFailedError naming the projection that has parked an event, or is still behind after the timeout
   */
  async untilProjected(options?: UntilProjectedOptions): Promise<void> {
    await untilProjected(this.context, options);
  }

  /**
   * What a projection has stored by `context.transaction`, in the order in which it was stored. After a rebuild, the writes
   * of all its generations are among them.
   */
  writesOf(projectionClass: Class): TableWrite[] {
    const { name, inline } = projectionDefinitionOf(projectionClass) ?? {};
    if (name === undefined) throw new TypeError(`${projectionClass.name} is no projection.`);
    if (inline) return this.store.inlineWrites.filter((each) => each.projection === name).map(({ write }) => write);
    const { projected } = this.get(BookkeepingDouble);
    return projected.filter((each) => isOf(name, each.projection)).flatMap(({ writes }) => writes);
  }

  repository<T extends AggregateRoot>(aggregateClass: Class<T>): AggregateRepository<T> {
    return this.get<AggregateRepository<T>>(getAggregateRepositoryToken(aggregateClass));
  }

  /** Any provider of the application. */
  get<T = unknown>(token: InjectionToken<T>): T {
    return this.context.get<T>(token as Class<T & object>, { strict: false });
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}

/** Whether a position is a projection's, whatever its generation; that of an event which was retried late ends with `#1`. */
function isOf(projection: string, position: string): boolean {
  return [position, position.replace(/#[0-9]+$/, '')].some(
    (name) => name === projection || laterGeneration(name)?.projection === projection,
  );
}
