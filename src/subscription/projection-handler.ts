import { runCausedBy } from '../event/command-context.js';
import { classOf } from '../event/event-type.js';
import type { EventRegistry } from '../event/event-registry.js';
import type { Class } from '../event/class-type.js';
import { streamKey } from '../event/stream-id.js';
import type { Bookkeeping, StreamPosition } from '../store/bookkeeping.js';
import { recordedVersionFrom, type StoredEvent } from '../store/stored-event.js';
import type { TableWrite } from '../store/table-write.js';
import type { EventHandler } from './event-handler.js';
import { handlersOf, type ProjectionContext, type ProjectionDefinition } from './projection.js';
import { MAX_WRITES, meetInOneItem, ProjectionTransaction } from './projection-transaction.js';

type Method = (event: object, context: ProjectionContext) => unknown;

/** Calls a projection's methods, and stores what they wrote together with how far it has come. */
export class ProjectionHandler implements EventHandler {
  readonly batch: number;
  private readonly name: string;
  private readonly methods: ReadonlyMap<Class, readonly (string | symbol)[]>;
  private readonly wanted: ReadonlySet<string>;

  constructor(
    private readonly projection: object,
    { name, batch }: Pick<ProjectionDefinition, 'name' | 'batch'>,
    private readonly registry: EventRegistry,
    private readonly bookkeeping: Bookkeeping,
  ) {
    this.name = name;
    this.batch = batch;
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

  async handle(events: readonly StoredEvent[]): Promise<void> {
    let open = new OpenTransaction();
    for (const event of events) {
      const writes = await this.writesOf(event);
      if (writes.length === 0) continue;
      if (!open.takes(event, writes)) {
        await this.store(open);
        open = new OpenTransaction();
      }
      open.add(event, writes);
    }
    await this.store(open);
  }

  /** The position of its stream is further already, so that the event has one of its own. */
  async handleLate(event: StoredEvent): Promise<void> {
    const writes = await this.writesOf(event);
    if (writes.length === 0) return;
    await this.bookkeeping.project(positionsOf(`${this.name}#${event.version}`, [event]), writes);
  }

  private async writesOf(stored: StoredEvent): Promise<readonly TableWrite[]> {
    const transaction = new ProjectionTransaction();
    for (const recorded of recordedVersionFrom(stored, this.registry).events) {
      for (const method of this.methods.get(classOf(recorded.event)) ?? []) {
        const handler = (this.projection as Record<string | symbol, Method>)[method]!;
        await runCausedBy(recorded, () => handler.call(this.projection, recorded.event, { recorded, transaction }));
      }
    }
    return transaction.writes;
  }

  /** A version that has been passed was stored by another process, or by this one without hearing of it. */
  private async store(transaction: OpenTransaction): Promise<void> {
    const { events, writes } = transaction;
    if (writes.length === 0) return;
    const outcome = await this.bookkeeping.project(positionsOf(this.name, events), writes);
    if (outcome.kind === 'passed' && events.length > 1) for (const event of events) await this.handle([event]);
  }
}

/** The writes of several events, as far as one transaction takes them. */
class OpenTransaction {
  readonly events: StoredEvent[] = [];
  readonly writes: TableWrite[] = [];

  takes(event: StoredEvent, writes: readonly TableWrite[]): boolean {
    const positions = positionsOf('', [...this.events, event]).length;
    if (this.events.length > 0 && this.writes.length + writes.length + positions > MAX_WRITES) return false;
    return !meetInOneItem(this.writes, writes);
  }

  add(event: StoredEvent, writes: readonly TableWrite[]): void {
    this.events.push(event);
    this.writes.push(...writes);
  }
}

/** From the first to the last version of each stream. */
function positionsOf(projection: string, events: readonly StoredEvent[]): readonly StreamPosition[] {
  const positions = new Map<string, StreamPosition>();
  for (const { stream, version } of events) {
    const key = streamKey(stream);
    const fromVersion = positions.get(key)?.fromVersion ?? version;
    positions.set(key, { projection, stream, fromVersion, version });
  }
  return [...positions.values()];
}
