import 'reflect-metadata';
import type { Class } from './class-type.js';

const ON = Symbol.for('nestjs-dynamodb-event-store:on');

export interface OnMethod {
  readonly eventClass: Class;
  readonly method: string | symbol;
}

// oxlint-disable-next-line typescript/no-explicit-any -- only the first parameter is this decorator's business
type EventMethod<E> = (event: E, ...rest: any[]) => unknown;

/**
 * Marks the method that takes events of a class: an aggregate's applier, or a projection's handler. The event's
 * class decides, never its name, so that minified code works as well.
 */
export function On<E extends object>(eventClass: Class<E>) {
  return <M extends EventMethod<E>>(
    prototype: object,
    method: string | symbol,
    _descriptor: TypedPropertyDescriptor<M>,
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
