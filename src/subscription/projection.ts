import 'reflect-metadata';
import type { Class } from '../event/class-type.js';
import { eventTypeOf } from '../event/event-type.js';
import { onMethodsOf, type OnMethod } from '../event/on.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import type { ProjectionTransaction } from './projection-transaction.js';
import { ProjectionError } from './subscription-errors.js';

/** What happens to an event whose handler keeps failing, after it was parked. */
export type PoisonPolicy = 'stop-aggregate' | 'skip' | 'stop-subscription';

export interface ProjectionOptions {
  /** Classes or durable names of the aggregates to follow. Default: all registered ones that have one of its events. */
  readonly aggregates?: readonly (Class | string)[];
  /**
   * Up to so many events share one transaction: fewer requests, and more of them are handled again when one fails.
   * Default 1, at most 50.
   */
  readonly batch?: number;
  /** Where a projection begins that has no checkpoint yet: at the first event, or at a time. Default `beginning`. */
  readonly from?: 'beginning' | Date;
  /** How many aggregates are handled side by side in each slice; default 16. */
  readonly concurrency?: number;
  /** How often a handler is tried before its event is parked; default 5, over about 3 seconds. */
  readonly attempts?: number;
  /**
   * After an event was parked: `stop-aggregate` holds back all further events of that aggregate, `skip` goes on with
   * them, `stop-subscription` stops altogether. Default `stop-aggregate`.
   */
  readonly poison?: PoisonPolicy;
  /**
   * Its writes join the command's own commit: stored with the events, or neither. It sees what is stored from now on, and
   * takes no other options than `aggregates`. Default false.
   */
  readonly inline?: boolean;
}

/** What a projection's method gets beside the event. */
export interface ProjectionContext<E extends object = object> {
  /** Stream, version, time and metadata. The version tells what was handled before: it grows by one from event to event. */
  readonly recorded: RecordedEvent<E>;
  /** Writes to tables of DynamoDB, stored in one transaction with how far the projection has come: exactly once. */
  readonly transaction: ProjectionTransaction;
  /**
   * All events whose writes go into this transaction in any case, those of one aggregate that the projection handles, by
   * any of its methods. In an inline projection those that the commit has of the aggregate, where an item may be written
   * once, and by events of one aggregate only; otherwise this event, or several when upcasting has split it.
   */
  readonly together: readonly RecordedEvent[];
  /** Which of its views the projection writes: 1, and one more with each `Subscriptions.rebuild`. */
  readonly generation: number;
}

/** A projection as declared, checked. */
export interface ProjectionDefinition {
  readonly name: string;
  readonly aggregates: readonly (Class | string)[] | undefined;
  readonly batch: number;
  readonly from: 'beginning' | Date;
  readonly concurrency: number;
  readonly attempts: number;
  readonly poison: PoisonPolicy;
  readonly inline: boolean;
}

const PROJECTION = Symbol.for('nestjs-dynamodb-event-store:projection');

/** A transaction holds 100 writes; each event may have one of its own beside its position. */
const MAX_BATCH = 50;

/**
 * Makes a Nest provider a projection: its `@On` methods get each event of the aggregates that it follows, at least once
 * and in the order of each aggregate's versions.
 *
 * @param name durable and unique in the application: its checkpoints are kept under it
 * @throws ProjectionError when the options make no sense
 */
export function Projection(name: string, options: ProjectionOptions = {}): ClassDecorator {
  return (projectionClass) => {
    const definition = { from: 'beginning', poison: 'stop-aggregate', ...options, name } as const;
    const { batch = 1, concurrency = 16, attempts = 5, aggregates } = options;
    const fault = (text: string) => new ProjectionError(`@Projection on ${projectionClass.name}: ${text}`);
    if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
      throw fault('it needs a name of at least one character.');
    }
    if (!isWholeNumber(batch) || batch > MAX_BATCH) throw fault(`batch must be a whole number from 1 to ${MAX_BATCH}.`);
    if (!isWholeNumber(concurrency)) throw fault('concurrency must be a whole number from 1.');
    if (!isWholeNumber(attempts)) throw fault('attempts must be a whole number from 1.');
    if (definition.from !== 'beginning' && !(Number(definition.from) >= 0)) {
      throw fault(`from must be 'beginning' or a Date.`);
    }
    if (!['stop-aggregate', 'skip', 'stop-subscription'].includes(definition.poison)) {
      throw fault(`poison must be 'stop-aggregate', 'skip' or 'stop-subscription'.`);
    }
    const useless = Object.keys(options).find((option) => option !== 'inline' && option !== 'aggregates');
    if (options.inline && useless !== undefined) {
      throw fault(`${useless} means nothing with inline: its writes are part of the command's own commit.`);
    }
    const inline = options.inline ?? false;
    const checked: ProjectionDefinition = { ...definition, aggregates, batch, concurrency, attempts, inline };
    Reflect.defineMetadata(PROJECTION, checked, projectionClass);
  };
}

export function projectionDefinitionOf(candidate: Class): ProjectionDefinition | undefined {
  return Reflect.getOwnMetadata(PROJECTION, candidate) as ProjectionDefinition | undefined;
}

/** The `@On` methods of a projection. @throws ProjectionError when there are none, or one names no event class */
export function handlersOf(projectionClass: Class): readonly OnMethod[] {
  const methods = onMethodsOf(projectionClass);
  if (methods.length === 0) {
    throw new ProjectionError(`${projectionClass.name} handles no event: give it a method with @On(EventClass).`);
  }
  for (const { eventClass, method } of methods) {
    if (eventClass && eventTypeOf(eventClass)) continue;
    throw new ProjectionError(
      `${projectionClass.name}.${String(method)} names ${eventClass ? eventClass.name : 'undefined'} in @On, which has no durable name: decorate that class with @EventType('…')${eventClass ? '' : ', or look for a circular import'}.`,
    );
  }
  return methods;
}

function isWholeNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}
