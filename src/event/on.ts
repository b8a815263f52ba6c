import 'reflect-metadata';
import type { Class } from './class-type.js';
import type { RecordedEvent } from './recorded-event.js';

const ON = Symbol.for('nestjs-dynamodb-event-store:on');

export interface OnMethod {
  readonly eventClass: Class;
  readonly method: string | symbol;
}

// oxlint-disable-next-line typescript/no-explicit-any -- InContextOf looks at the second; the rest is their own affair
type EventMethod<E> = (event: E, ...rest: any[]) => unknown;

/** A context with the recording of this event, and all else as a method takes it. */
type ContextOf<E extends object, C> = Omit<C, 'recorded'> & { readonly recorded: RecordedEvent<E> };

/**
 * The method itself; or, for a projection's that takes the context of another event, what it is to be like. An applier
 * takes no context, and whatever else is in one is not this decorator's business.
 */
type InContextOf<E extends object, M> = M extends (event: never, context: infer C, ...rest: never[]) => unknown
  ? NonNullable<C> extends { readonly recorded: unknown }
    ? ContextOf<E, NonNullable<C>> extends C
      ? M
      : (event: E, context: ContextOf<E, C>) => unknown
    : M
  : M;

/**
 * Marks the method that takes events of a class: an aggregate's applier, or a projection's handler. The event's
 * class decides, never its name, so that minified code works as well.
 */
export function On<E extends object>(eventClass: Class<E>) {
  return <M extends EventMethod<E>>(
    prototype: object,
    method: string | symbol,
    _descriptor: TypedPropertyDescriptor<M> & TypedPropertyDescriptor<InContextOf<E, M>>,
  ): void => {
    const own = (Reflect.getOwnMetadata(ON, prototype) as OnMethod[] | undefined) ?? [];
    Reflect.defineMetadata(ON, [...own, { eventClass, method }], prototype);
  };
}

/** All `@On` methods of a class, those of its base classes first. */
export function onMethodsOf(aggregateOrProjection: Class): OnMethod[] {
  const found: OnMethod[] = [];
  let prototype = aggregateOrProjection.prototype as object | null;
  for (; prototype !== null; prototype = Object.getPrototypeOf(prototype) as object | null) {
    found.unshift(...((Reflect.getOwnMetadata(ON, prototype) as OnMethod[] | undefined) ?? []));
  }
  return found;
}
