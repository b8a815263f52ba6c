import { ContextIdFactory } from '@nestjs/core';
import { AsyncContext } from '@nestjs/cqrs';

/** A context with the same contents and an id of its own, so that request-scoped handlers are made anew. */
export function copyContext(context: AsyncContext | undefined): AsyncContext | undefined {
  if (!context) return undefined;
  const copy = Object.create(Object.getPrototypeOf(context) as object) as AsyncContext;
  return Object.assign(copy, context, { id: ContextIdFactory.create() });
}

export function contextOf(command: object): AsyncContext | undefined {
  return AsyncContext.of(command);
}
