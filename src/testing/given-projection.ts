import { aggregateDefinitionOf } from '../aggregate/aggregate-definition.js';
import type { Class } from '../event/class-type.js';
import { EventRegistry } from '../event/event-registry.js';
import { classOf } from '../event/event-type.js';
import type { StoredEvent } from '../store/stored-event.js';
import { generationOf } from '../subscription/generation.js';
import { handlersOf, projectionDefinitionOf, type ProjectionDefinition } from '../subscription/projection.js';
import { ProjectionHandler } from '../subscription/projection-handler.js';
import { ProjectionMethods } from '../subscription/projection-methods.js';
import { ProjectionError } from '../subscription/subscription-errors.js';
import { BookkeepingDouble } from './bookkeeping-double.js';
import { errorText } from './error-expectation.js';
import type { GivenOptions } from './given.js';
import { InlineHandler } from './inline-handler.js';
import { ProjectionDelivery, type Delivered } from './projection-delivery.js';
import { ProjectionOutcome } from './projection-outcome.js';
import type { RecordedHistory } from './recorded-history.js';
import { ScenarioFailedError } from './scenario-failed-error.js';
import { StoredHistory } from './stored-history.js';

/**
 * A projection, in memory and without Nest. Events reach it encoded and decoded, with versions, times and metadata, as
 * in an application; of what it writes by `context.transaction`, the position in each aggregate lets each event in once.
 *
 * @param projection its instance, which keeps its state from one `when` to the next; or its class, where the constructor
 *   takes nothing, for a new one with each `when`
 * @param history what it has handled before
 * @example await givenProjection(Balances).when([recorded(Account, 'a-1', [new MoneyDeposited(5)])]).thenWrites([…]);
 * @throws ProjectionError when it lacks `@Projection`, or `@On` methods
 */
export function givenProjection<T extends object>(
  projection: T | (new () => T),
  history: readonly RecordedHistory[] = [],
  options: GivenOptions = {},
): GivenProjection<T> {
  return new GivenProjection(projection, history, options);
}

/** Each `when` starts from the same history again. */
export class GivenProjection<T extends object> {
  private readonly definition: ProjectionDefinition;
  private readonly eventClasses: readonly Class[];
  private readonly create: () => T;

  constructor(
    projection: T | (new () => T),
    private readonly history: readonly RecordedHistory[],
    private readonly options: GivenOptions,
  ) {
    const projectionClass = typeof projection === 'function' ? (projection as new () => T) : classOf(projection);
    const definition = projectionDefinitionOf(projectionClass);
    if (!definition) {
      throw new ProjectionError(`${projectionClass.name} is no projection: decorate it with @Projection('…').`);
    }
    if (typeof projection === 'function' && projectionClass.length > 0) {
      throw new ProjectionError(
        `${projectionClass.name} is constructed with arguments: hand an instance to givenProjection.`,
      );
    }
    this.definition = definition;
    this.eventClasses = handlersOf(projectionClass).map(({ eventClass }) => eventClass);
    this.create = typeof projection === 'function' ? () => new (projection as new () => T)() : () => projection;
  }

  /**
   * Hands events to the projection, each aggregate's in their order, and the aggregates as they stand in the list. Await
   * what follows.
   *
   * @throws AggregateRegistrationError, EventRegistrationError, InvalidStreamIdError, UnserializableEventError
   */
  when(events: readonly RecordedHistory[]): ProjectionOutcome<T> {
    const registry = new EventRegistry({ valueTypes: this.options.valueTypes ?? [] });
    registry.register(...this.eventClasses);
    const store = new StoredHistory(registry);
    const before = this.history.flatMap((each) => store.append(each));
    const now = events.flatMap((each) => store.append(each));
    const projection = this.create();
    const bookkeeping = new BookkeepingDouble();
    const { name, batch, inline } = this.definition;
    const methods = new ProjectionMethods(projection, registry);
    const handler = inline
      ? new InlineHandler(name, methods, bookkeeping)
      : new ProjectionHandler(methods, batch, generationOf(name, 1), bookkeeping);
    return new ProjectionOutcome(this.deliver(new ProjectionDelivery(projection, handler, bookkeeping), before, now));
  }

  private async deliver(
    delivery: ProjectionDelivery<T>,
    before: readonly StoredEvent[],
    now: readonly StoredEvent[],
  ): Promise<Delivered<T>> {
    const { thrown } = await delivery.deliver(this.followed(before));
    if (!thrown) return delivery.deliver(this.followed(now));
    throw new ScenarioFailedError(`The projection did not handle its history: ${errorText(thrown.error)}.`, {
      cause: thrown.error,
    });
  }

  /** The events of those aggregates that the projection follows. */
  private followed(events: readonly StoredEvent[]): readonly StoredEvent[] {
    const types = this.definition.aggregates?.map((aggregate) =>
      typeof aggregate === 'string' ? aggregate : aggregateDefinitionOf(aggregate)?.name,
    );
    return events.filter(({ stream }) => !types || types.includes(stream.aggregateType));
  }
}
