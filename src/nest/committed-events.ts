import { Logger } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { EventBus, type AsyncContext } from '@nestjs/cqrs';
import { runCausedBy } from '../event/command-context.js';
import { recordedEventOf } from '../event/recorded-event.js';

/** Publishes stored events on the Nest event bus, where `@EventsHandler` and `@Saga` classes wait for them. */
export class CommittedEvents {
  private readonly logger = new Logger('EventStore');

  constructor(private readonly modules: ModulesContainer) {}

  /** Never throws: the events are stored, so a handler that fails must not make the command look failed. */
  publish(events: readonly object[], bus: EventBus | undefined = this.anyBus(), context?: AsyncContext): void {
    if (!bus) return;
    // A publisher of your own may send many at once; otherwise each event is the cause of what its handlers do.
    if (bus.publisher.publishAll) return this.guard(() => publishAll(bus, events, context));
    for (const event of events) {
      this.guard(() => runCausedBy(recordedEventOf(event), () => publishAll(bus, [event], context)));
    }
  }

  private guard(publish: () => unknown): void {
    try {
      // Publishers of your own, as for Kafka, may answer with promises.
      void Promise.all([publish()].flat()).catch((error: unknown) => this.report(error));
    } catch (error) {
      this.report(error);
    }
  }

  private anyBus(): EventBus | undefined {
    for (const module of this.modules.values()) {
      for (const { instance } of module.providers.values()) if (instance instanceof EventBus) return instance;
    }
    return undefined;
  }

  private report(error: unknown): void {
    const name = error instanceof Error ? error.name : 'unknown failure';
    this.logger.error(
      `Stored events could not be published on the event bus: ${name}.`,
      error instanceof Error ? error.stack : undefined,
    );
  }
}

function publishAll(bus: EventBus, events: readonly object[], context: AsyncContext | undefined): unknown {
  return context ? bus.publishAll([...events], context) : bus.publishAll([...events]);
}
