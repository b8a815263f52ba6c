import { ContextIdFactory } from '@nestjs/core';
import { AsyncContext } from '@nestjs/cqrs';

/**
 * A copy of a command for another run, as the first may have changed it. Plain data in it is copied too; instances
 * of classes are shared. An attached AsyncContext stays behind, as it leads to the handler instance of the first run.
 */
export function copyCommand<T extends object>(command: T): T {
  const copy = Object.create(Object.getPrototypeOf(command) as object) as T;
  for (const key of Object.keys(command) as (keyof T)[]) copy[key] = copyValue(command[key]);
  return copy;
}

/** A context with the same contents and an id of its own, so that request-scoped handlers are made anew. */
export function copyContext(context: AsyncContext | undefined): AsyncContext | undefined {
  if (!context) return undefined;
  const copy = Object.create(Object.getPrototypeOf(context) as object) as AsyncContext;
  return Object.assign(copy, context, { id: ContextIdFactory.create() });
}

export function contextOf(command: object): AsyncContext | undefined {
  return AsyncContext.of(command);
}

function copyValue<V>(value: V): V {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => copyValue(item)) as V;
  if (value instanceof Date) return new Date(value) as V;
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, copyValue(item)])) as V;
  if (value instanceof Set) return new Set([...value].map((item) => copyValue(item))) as V;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy = Object.create(prototype) as V;
  for (const key of Object.keys(value) as (keyof V)[]) copy[key] = copyValue(value[key]);
  return copy;
}
