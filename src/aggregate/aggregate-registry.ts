import type { Class } from '../event/class-type.js';
import type { EventRegistry } from '../event/event-registry.js';
import { assertAggregateClass, eventsOf, type AggregateDefinition } from './aggregate-definition.js';
import { AggregateRegistrationError } from './aggregate-errors.js';
import { AggregateRoot } from './aggregate-root.js';

/** The aggregate classes of one application, by their durable names. */
export class AggregateRegistry {
  private readonly byName = new Map<string, Class>();

  constructor(private readonly events: EventRegistry) {}

  /**
   * Registers an aggregate class and all its events.
   *
   * @throws AggregateRegistrationError, EventRegistrationError naming the class and the fix
   */
  register(aggregateClass: Class): AggregateDefinition {
    const definition = assertAggregateClass(aggregateClass);
    if (!(aggregateClass.prototype instanceof AggregateRoot)) {
      throw new AggregateRegistrationError(
        `${aggregateClass.name} must extend AggregateRoot of nestjs-dynamodb-event-store.`,
      );
    }
    const other = this.byName.get(definition.name);
    if (other && other !== aggregateClass) {
      throw new AggregateRegistrationError(
        `Two aggregate classes share the name "${definition.name}": ${other.name} and ${aggregateClass.name}. Rename one of them.`,
      );
    }
    this.byName.set(definition.name, aggregateClass);
    this.events.register(...eventsOf(aggregateClass));
    return definition;
  }

  /** The durable names of all registered aggregates that have one of these events. */
  namesWith(eventClasses: readonly Class[]): readonly string[] {
    return [...this.byName]
      .filter(([, aggregateClass]) => eventsOf(aggregateClass).some((eventClass) => eventClasses.includes(eventClass)))
      .map(([name]) => name);
  }
}
