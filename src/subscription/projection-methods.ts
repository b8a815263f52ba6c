import type { Class } from '../event/class-type.js';
import { runCausedBy } from '../event/command-context.js';
import type { EventRegistry } from '../event/event-registry.js';
import { classOf } from '../event/event-type.js';
import { recordedVersionFrom, type StoredEvent } from '../store/stored-event.js';
import type { TableWrite } from '../store/table-write.js';
import { handlersOf, type ProjectionContext } from './projection.js';
import { ProjectionTransaction } from './projection-transaction.js';

type Method = (event: object, context: ProjectionContext) => unknown;

/** The `@On` methods of a projection. */
export class ProjectionMethods {
  private readonly methods: ReadonlyMap<Class, readonly (string | symbol)[]>;
  private readonly wanted: ReadonlySet<string>;

  constructor(
    private readonly projection: object,
    private readonly registry: EventRegistry,
  ) {
    const methods = new Map<Class, (string | symbol)[]>();
    for (const { eventClass, method } of handlersOf(classOf(projection))) {
      methods.set(eventClass, [...(methods.get(eventClass) ?? []), method]);
    }
    this.methods = methods;
    this.wanted = registry.namesReadAs([...methods.keys()]);
  }

  wants(eventType: string): boolean {
    return this.wanted.has(eventType);
  }

  /**
   * Calls the methods for the events, one after the other.
   *
   * @param events of one stream, which the methods are told of as `context.together`
   * @returns for each event what was added to `context.transaction`
   * @throws whatever a method throws
   */
  async writesOf(events: readonly StoredEvent[], generation = 1): Promise<readonly (readonly TableWrite[])[]> {
    const versions = events.map((event) =>
      recordedVersionFrom(event, this.registry).events.filter(({ event: read }) => this.methods.has(classOf(read))),
    );
    const together = versions.flat();
    const writes: (readonly TableWrite[])[] = [];
    for (const version of versions) {
      const transaction = new ProjectionTransaction();
      for (const recorded of version) {
        for (const method of this.methods.get(classOf(recorded.event))!) {
          const call = (this.projection as Record<string | symbol, Method>)[method]!;
          await runCausedBy(recorded, () =>
            call.call(this.projection, recorded.event, { recorded, transaction, together, generation }),
          );
        }
      }
      writes.push(transaction.close());
    }
    return writes;
  }
}
