import type { ModuleRef } from '@nestjs/core';
import { AsyncContext, type EventBus } from '@nestjs/cqrs';

type Handler = Parameters<EventBus['bind']>[0];
type Handle = (event: object) => unknown;

/**
 * Shows each run of the handlers of an event bus, as the bus keeps their promises to itself. Only of handlers that are
 * bound after this; Nest binds them when the application is set up.
 *
 * @param watch takes a run, also one that is over already
 */
export function watchHandlers(
  bus: EventBus,
  moduleRef: ModuleRef,
  watch: (run: Promise<unknown>) => Promise<unknown>,
): void {
  const bind = bus.bind.bind(bus);
  bus.bind = (handler, id) => {
    const handle = handler.isDependencyTreeStatic() ? ofInstance(handler) : ofNewInstance(handler, moduleRef);
    const watched: Handle = (event) => {
      // The bus gets the promise as well: a query builder that a handler returns is run each time it is awaited.
      const run = Promise.resolve(handle(event));
      // The bus reports what fails.
      watch(run).catch(() => {});
      return run;
    };
    const properties = { instance: { value: { handle: watched } }, isDependencyTreeStatic: { value: () => true } };
    bind(Object.create(handler, properties) as Handler, id);
  };
}

function ofInstance(handler: Handler): Handle {
  return (event) => handler.instance.handle(event) as unknown;
}

/** A request-scoped handler is made for each event, as the bus would make it. */
function ofNewInstance({ metatype }: Handler, moduleRef: ModuleRef): Handle {
  return async (event) => {
    const { id } = AsyncContext.of(event) ?? new AsyncContext();
    const handler = await moduleRef.resolve<Handler['instance']>(metatype as never, id, { strict: false });
    return handler.handle(event) as unknown;
  };
}
