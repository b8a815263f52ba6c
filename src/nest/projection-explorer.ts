import type { ModulesContainer } from '@nestjs/core';
import { aggregateDefinitionOf } from '../aggregate/aggregate-definition.js';
import type { AggregateRegistry } from '../aggregate/aggregate-registry.js';
import type { Class } from '../event/class-type.js';
import type { EventRegistry } from '../event/event-registry.js';
import { onMethodsOf } from '../event/on.js';
import type { Bookkeeping } from '../store/bookkeeping.js';
import type { Generation } from '../subscription/generation.js';
import type { InlineProjections } from '../subscription/inline-projections.js';
import { handlersOf, projectionDefinitionOf, type ProjectionDefinition } from '../subscription/projection.js';
import { ProjectionHandler } from '../subscription/projection-handler.js';
import { ProjectionMethods } from '../subscription/projection-methods.js';
import { ProjectionError } from '../subscription/subscription-errors.js';
import type { Subscriptions } from '../subscription/subscriptions.js';

/** Finds the `@Projection` providers of the application. */
export class ProjectionExplorer {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly subscriptions: Subscriptions,
    private readonly aggregates: AggregateRegistry,
    private readonly registry: EventRegistry,
    private readonly bookkeeping: Bookkeeping,
    private readonly inline: InlineProjections,
  ) {}

  /** @throws ProjectionError, SubscriptionError, EventRegistrationError naming the class and the fix */
  addAll(): void {
    const seen = new Set<object>();
    for (const module of this.modules.values()) {
      for (const wrapper of module.providers.values()) {
        const { instance, metatype } = wrapper;
        const projectionClass = ((instance as object | null)?.constructor ?? metatype) as Class | null;
        const definition = projectionClass && projectionDefinitionOf(projectionClass);
        if (!definition) {
          assertNoHandlers(projectionClass);
          continue;
        }
        if (seen.has(instance as object)) continue;
        if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient || !instance) {
          throw new ProjectionError(
            `${projectionClass.name} is request-scoped or transient, or depends on what is: a projection has to be a singleton.`,
          );
        }
        seen.add(instance as object);
        this.add(instance as object, projectionClass, definition);
      }
    }
  }

  private add(projection: object, projectionClass: Class, definition: ProjectionDefinition): void {
    const eventClasses = handlersOf(projectionClass).map(({ eventClass }) => eventClass);
    this.registry.register(...eventClasses);
    const aggregateTypes = this.aggregateTypes(projectionClass, definition, eventClasses);
    const { name, from, concurrency, attempts, poison, batch } = definition;
    const methods = new ProjectionMethods(projection, this.registry);
    if (definition.inline) {
      this.inline.add(name, aggregateTypes, methods);
      return;
    }
    const plan = {
      name,
      aggregateTypes,
      from: from === 'beginning' ? 0 : from.getTime(),
      concurrency,
      attempts,
      poison,
    };
    const handlerOf = (generation: Generation) => new ProjectionHandler(methods, batch, generation, this.bookkeeping);
    this.subscriptions.add(plan, handlerOf);
  }

  private aggregateTypes(
    { name }: Class,
    { aggregates }: ProjectionDefinition,
    eventClasses: readonly Class[],
  ): readonly string[] {
    const types = aggregates
      ? aggregates.map((aggregate) => {
          const type = typeof aggregate === 'string' ? aggregate : aggregateDefinitionOf(aggregate)?.name;
          if (type) return type;
          throw new ProjectionError(
            `${name} follows what is no aggregate: name classes with @Aggregate, or their names.`,
          );
        })
      : this.aggregates.namesWith(eventClasses);
    if (types.length > 0) return [...new Set(types)];
    throw new ProjectionError(
      `No aggregate has the events of ${name}: register it with EventStoreModule.forFeature, or name its type in @Projection('…', { aggregates: ['…'] }).`,
    );
  }
}

/** What has handlers and no name of its own would never be called, and nobody would learn of it. */
function assertNoHandlers(providerClass: Class | null): void {
  if (typeof providerClass?.prototype !== 'object' || onMethodsOf(providerClass).length === 0) return;
  throw new ProjectionError(
    `The provider ${providerClass.name} has methods with @On, and is no projection: decorate the class with @Projection('…').`,
  );
}
