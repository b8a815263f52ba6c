import { streamKey } from '../event/stream-id.js';
import type { Bookkeeping, StreamPosition } from '../store/bookkeeping.js';
import type { StoredEvent } from '../store/stored-event.js';
import type { TableWrite } from '../store/table-write.js';
import type { EventHandler } from './event-handler.js';
import type { Generation } from './generation.js';
import type { ProjectionMethods } from './projection-methods.js';
import { MAX_WRITES, meetInOneItem } from './projection-transaction.js';

/** Calls a projection's methods, and stores what they wrote together with how far it has come. */
export class ProjectionHandler implements EventHandler {
  readonly batch: number;
  private readonly name: string;
  private readonly generation: number;

  /** @param generation with the name under which its positions are kept, and its number */
  constructor(
    private readonly methods: ProjectionMethods,
    batch: number,
    { name, generation }: Generation,
    private readonly bookkeeping: Bookkeeping,
  ) {
    this.batch = batch;
    this.name = name;
    this.generation = generation;
  }

  wants(eventType: string): boolean {
    return this.methods.wants(eventType);
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

  /**
   * The position of its stream is further already, so that the event has one of its own, which says whether its writes are
   * stored.
   */
  async handleLate(event: StoredEvent): Promise<void> {
    const writes = await this.writesOf(event);
    if (writes.length === 0) return;
    await this.bookkeeping.project(positionsOf(`${this.name}#${event.version}`, [event]), writes);
  }

  private async writesOf(event: StoredEvent): Promise<readonly TableWrite[]> {
    const [writes] = await this.methods.writesOf([event], this.generation);
    return writes!;
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
