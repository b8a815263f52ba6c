import 'reflect-metadata';
import type { Class } from './class-type.js';
import { EventRegistrationError } from './event-errors.js';

/**
 * Turns the stored data of one schema version into the shape of the next: gets and returns plain data. A list of event
 * instances takes the event's place instead: several split it, an empty one drops it; they are of today's shape already.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- an old shape has no class any more that could type it
export type Upcast = (data: any) => object | readonly object[];

export interface EventTypeOptions {
  /** Schema version of the class as it is now; default 1. Raise it when the shape changes. */
  readonly version?: number;
  /** Earlier names under which events of this class are stored. */
  readonly aliases?: readonly string[];
  /** `upcast[n]` turns data of version n into version n + 1; a version without a step is read as it is. */
  readonly upcast?: Readonly<Record<number, Upcast>>;
}

export interface EventTypeDefinition {
  readonly name: string;
  readonly version: number;
  readonly aliases: readonly string[];
  readonly upcast: Readonly<Record<number, Upcast>>;
}

const EVENT_TYPE = Symbol.for('nestjs-dynamodb-event-store:event-type');

/**
 * Gives an event class its durable name, under which it is stored for ever; the class may be renamed freely.
 * The constructor is not called when an event is loaded.
 *
 * @param name durable and unique in the application, such as `bank.MoneyDeposited`
 * @throws EventRegistrationError when the name is empty or the version and upcast steps contradict each other
 */
export function EventType(name: string, options: EventTypeOptions = {}): ClassDecorator {
  const { version = 1, aliases = [], upcast = {} } = options;
  return (eventClass) => {
    const className = eventClass.name;
    for (const text of [name, ...aliases]) {
      if (typeof text !== 'string' || text === '' || !text.isWellFormed()) {
        throw new EventRegistrationError(
          `@EventType on ${className} needs a name, and aliases, of at least one character.`,
        );
      }
    }
    if (!Number.isSafeInteger(version) || version < 1) {
      throw new EventRegistrationError(`@EventType on ${className}: version must be a whole number from 1.`);
    }
    for (const step of Object.keys(upcast)) {
      if (!(Number.isSafeInteger(Number(step)) && Number(step) >= 1 && Number(step) < version)) {
        throw new EventRegistrationError(
          `@EventType on ${className}: upcast step ${step} leads nowhere, as the version is ${version}; raise version or remove the step.`,
        );
      }
    }
    const definition: EventTypeDefinition = { name, version, aliases, upcast };
    Reflect.defineMetadata(EVENT_TYPE, definition, eventClass);
  };
}

/** What `@EventType` said of this very class; a subclass does not inherit it. */
export function eventTypeOf(eventClass: Class): EventTypeDefinition | undefined {
  // A circular import leaves undefined where a class is meant.
  if (typeof eventClass !== 'function') return undefined;
  return Reflect.getOwnMetadata(EVENT_TYPE, eventClass) as EventTypeDefinition | undefined;
}

export function classOf(event: object): Class {
  return (Object.getPrototypeOf(event) as { constructor: Class } | null)?.constructor ?? Object;
}
