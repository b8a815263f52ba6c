import type { Class } from './class-type.js';
import { Codec, setOwn } from './codec.js';
import { compress, decompress, type StoredText } from './compression.js';
import { EventRegistrationError, UnknownEventTypeError } from './event-errors.js';
import { classOf, eventTypeOf, type EventTypeDefinition } from './event-type.js';
import {
  hasValidationRules,
  loadEventValidator,
  requireEventValidator,
  type EventValidator,
} from './event-validation.js';
import { hasPrivateFields } from './private-state.js';
import type { ValueType } from './value-type.js';

/** An event's own part of what is stored. */
export interface EncodedEvent {
  readonly eventType: string;
  readonly schemaVersion: number;
  readonly eventData: StoredText;
}

export interface EventRegistryOptions {
  readonly valueTypes?: readonly ValueType[];
  /** Check events against their rules when they are read as well, after upcasting; default false. */
  readonly validateOnLoad?: boolean;
}

/** The event classes of one application, by their durable names; turns instances into stored data and back. */
export class EventRegistry {
  readonly codec: Codec;
  private readonly byName = new Map<string, Class>();
  private readonly definitions = new Map<Class, EventTypeDefinition>();
  private readonly validateOnLoad: boolean;
  private validate: EventValidator | undefined;

  constructor({ valueTypes, validateOnLoad = false }: EventRegistryOptions = {}) {
    this.codec = new Codec(valueTypes);
    this.validateOnLoad = validateOnLoad;
  }

  /** @throws EventRegistrationError when `@EventType` is missing, or a name or alias is taken by another class */
  register(...eventClasses: readonly Class[]): this {
    for (const eventClass of eventClasses) this.registerOne(eventClass);
    return this;
  }

  /** Loads class-validator when, and only when, a registered class has rules. Await it before the first command. */
  async prepareValidation(): Promise<void> {
    if (this.needsValidator()) this.validate = await loadEventValidator();
  }

  /** The same without waiting, for tests whose assertions have to fail at once. */
  prepareValidationSync(): void {
    if (this.needsValidator()) this.validate = requireEventValidator();
  }

  /**
   * @throws InvalidEventError by the class-validator rules of the class
   * @throws UnserializableEventError for a value that would not come back identical
   * @throws EventRegistrationError when the class is not registered here
   */
  encode(event: object): EncodedEvent {
    const definition = this.definitionOf(event);
    this.validate?.(event, definition.name);
    const eventData = compress(this.codec.encode(event, definition.name));
    return { eventType: definition.name, schemaVersion: definition.version, eventData };
  }

  /**
   * The instance again, in the shape of today; its constructor is not called. Where an upcast step replaced it, what it
   * was replaced by: several events, or none.
   *
   * @throws UnknownEventTypeError when no class has this name, or the data is of a later schema version
   * @throws InvalidEventError with `validateOnLoad`, by the class-validator rules of the class
   */
  decode({ eventType, schemaVersion, eventData }: EncodedEvent): readonly object[] {
    const eventClass = this.byName.get(eventType);
    const definition = eventClass && this.definitions.get(eventClass);
    if (!definition) throw unregistered(eventType);
    if (schemaVersion > definition.version) {
      throw new UnknownEventTypeError(
        eventType,
        `it is stored with schema version ${schemaVersion}, and ${eventClass.name} knows ${definition.version}. Deploy the newer code to every reader first.`,
      );
    }
    const events = this.upcast(this.codec.decode(decompress(eventData)), eventClass, schemaVersion, eventType);
    if (this.validateOnLoad) for (const event of events) this.validate?.(event, eventType);
    return events;
  }

  /**
   * All names under which events of these types are stored: for each, that of `@EventType` and its aliases, whichever
   * of them is given.
   *
   * @throws UnknownEventTypeError when no class has one of the names
   */
  namesOf(eventTypes: readonly string[]): readonly string[] {
    const names = eventTypes.flatMap((eventType) => {
      const eventClass = this.byName.get(eventType);
      if (!eventClass) throw unregistered(eventType);
      const { name, aliases } = this.definitions.get(eventClass)!;
      return [name, ...aliases];
    });
    return [...new Set(names)];
  }

  /** All names under which events are stored that may be read as one of these classes, also after upcasting. */
  namesReadAs(eventClasses: readonly Class[]): ReadonlySet<string> {
    const found = [...this.definitions].filter(
      // What an upcast step replaces an event by is not known before.
      ([eventClass, { upcast }]) => eventClasses.includes(eventClass) || Object.keys(upcast).length > 0,
    );
    return new Set(found.flatMap(([, { name, aliases }]) => [name, ...aliases]));
  }

  /** Goes from step to step until today's shape, or until a step replaces the event by others. */
  private upcast(stored: object, eventClass: Class, from: number, eventType: string): readonly object[] {
    const { version: today, upcast } = this.definitions.get(eventClass)!;
    let data = stored;
    for (let version = from; version < today; version++) {
      const step = upcast[version];
      if (!step) continue;
      const result = step(data) as unknown;
      if (Array.isArray(result)) return this.replacements(result, eventType, version);
      data = upcasted(result, eventType, version);
    }
    const event = Object.create(eventClass.prototype as object) as object;
    for (const key of Object.keys(data)) setOwn(event, key, (data as Record<string, unknown>)[key]);
    return [event];
  }

  private replacements(events: readonly unknown[], eventType: string, version: number): readonly object[] {
    for (const event of events) {
      if (typeof event === 'object' && event !== null && this.definitions.has(classOf(event))) continue;
      throw new EventRegistrationError(
        `The upcast step ${version} of "${eventType}" returned a list, which must hold instances of registered event classes; an empty list drops the event.`,
      );
    }
    return events as readonly object[];
  }

  private needsValidator(): boolean {
    return !this.validate && [...this.definitions.keys()].some(hasValidationRules);
  }

  private registerOne(eventClass: Class): void {
    if (this.definitions.has(eventClass)) return;
    const definition = eventTypeOf(eventClass);
    if (!definition) {
      throw new EventRegistrationError(`${eventClass.name} has no durable name: decorate it with @EventType('…').`);
    }
    if (hasPrivateFields(eventClass)) {
      throw new EventRegistrationError(
        `${eventClass.name} keeps data in #private fields or accessors, which cannot be stored: use plain fields.`,
      );
    }
    for (const name of [definition.name, ...definition.aliases]) {
      const other = this.byName.get(name);
      if (other && other !== eventClass) {
        throw new EventRegistrationError(
          `Two event classes share the name "${name}": ${other.name} and ${eventClass.name}. Rename one of them, or drop the alias.`,
        );
      }
    }
    for (const name of [definition.name, ...definition.aliases]) this.byName.set(name, eventClass);
    this.definitions.set(eventClass, definition);
  }

  private definitionOf(event: object): EventTypeDefinition {
    const eventClass = classOf(event);
    const definition = this.definitions.get(eventClass);
    if (!definition) {
      throw new EventRegistrationError(
        eventTypeOf(eventClass)
          ? `${eventClass.name} is not registered: pass it, or an aggregate with @On(${eventClass.name}), to EventStoreModule.forFeature.`
          : `${eventClass.name} is not an event class: decorate it with @EventType('…').`,
      );
    }
    return definition;
  }
}

function unregistered(eventType: string): UnknownEventTypeError {
  return new UnknownEventTypeError(
    eventType,
    'no registered class has this name. Register its class with EventStoreModule.forFeature, or add the name to the aliases of the class that replaced it.',
  );
}

function upcasted(data: unknown, eventType: string, version: number): object {
  if (typeof data === 'object' && data !== null && !Array.isArray(data) && !(data instanceof Promise)) return data;
  throw new EventRegistrationError(
    `The upcast step ${version} of "${eventType}" must return an object with the fields of version ${version + 1}, or a list of events in its place, and not a promise.`,
  );
}
