import { EventStoreUnavailableError, type StreamId } from '../../src/index.js';
import {
  Bookkeeping,
  type BookkeepingEntry,
  type EntryWrite,
  type ProjectOutcome,
  type StreamPosition,
} from '../../src/store/bookkeeping.js';
import type { TableWrite } from '../../src/store/table-write.js';

/** The bookkeeping as one process reaches it: cut, nothing of what that process does is kept any more. */
export class BookkeepingLink extends Bookkeeping {
  isCut = false;

  constructor(private readonly target: Bookkeeping) {
    super();
  }

  override async entries<V>(subject: readonly string[]): Promise<readonly BookkeepingEntry<V>[]> {
    return this.reached.entries(subject);
  }

  override async entry<V>(subject: readonly string[], id: string): Promise<BookkeepingEntry<V> | undefined> {
    return this.reached.entry(subject, id);
  }

  override async write(subject: readonly string[], id: string, value: unknown, revision: number): Promise<boolean> {
    return this.reached.write(subject, id, value, revision);
  }

  override async remove(subject: readonly string[], id: string, revision: number): Promise<boolean> {
    return this.reached.remove(subject, id, revision);
  }

  override async project(
    positions: readonly StreamPosition[],
    writes: readonly TableWrite[],
    entry?: EntryWrite,
  ): Promise<ProjectOutcome> {
    return this.reached.project(positions, writes, entry);
  }

  override async positionsOf(projection: string, streams: readonly StreamId[]): Promise<readonly number[]> {
    return this.reached.positionsOf(projection, streams);
  }

  private get reached(): Bookkeeping {
    if (this.isCut) throw new EventStoreUnavailableError('The process is cut off.');
    return this.target;
  }
}
