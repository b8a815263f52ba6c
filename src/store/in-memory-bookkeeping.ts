import { joinedKey, streamKey, type StreamId } from '../event/stream-id.js';
import {
  Bookkeeping,
  type BookkeepingEntry,
  type EntryWrite,
  type ProjectOutcome,
  type StreamPosition,
} from './bookkeeping.js';
import { noTablesError, type TableWrite } from './table-write.js';

/** The bookkeeping of the in-memory store. */
export class InMemoryBookkeeping extends Bookkeeping {
  private readonly subjects = new Map<string, Map<string, BookkeepingEntry>>();
  private readonly positions = new Map<string, number>();

  override async entries<V>(subject: readonly string[]): Promise<readonly BookkeepingEntry<V>[]> {
    return structuredClone([...this.of(subject).values()]) as BookkeepingEntry<V>[];
  }

  override async entry<V>(subject: readonly string[], id: string): Promise<BookkeepingEntry<V> | undefined> {
    return structuredClone(this.of(subject).get(id)) as BookkeepingEntry<V> | undefined;
  }

  override async write(subject: readonly string[], id: string, value: unknown, revision: number): Promise<boolean> {
    return this.put({ subject, id, value, revision });
  }

  override async remove(subject: readonly string[], id: string, revision: number): Promise<boolean> {
    const entries = this.of(subject);
    return entries.get(id)?.revision === revision && entries.delete(id);
  }

  override async project(
    positions: readonly StreamPosition[],
    writes: readonly TableWrite[],
    entry?: EntryWrite,
  ): Promise<ProjectOutcome> {
    if (writes.length > 0) throw noTablesError();
    const keys = positions.map(({ projection, stream }) => positionKey(projection, stream));
    const index = positions.findIndex(({ fromVersion }, at) => fromVersion <= (this.positions.get(keys[at]!) ?? 0));
    if (index !== -1) return { kind: 'passed', index };
    if (entry && !this.put(entry)) return { kind: 'outdated' };
    for (const [at, { version }] of positions.entries()) this.positions.set(keys[at]!, version);
    return { kind: 'stored' };
  }

  override async positionsOf(projection: string, streams: readonly StreamId[]): Promise<readonly number[]> {
    return streams.map((stream) => this.positions.get(positionKey(projection, stream)) ?? 0);
  }

  private put({ subject, id, value, revision }: EntryWrite): boolean {
    const entries = this.of(subject);
    if ((entries.get(id)?.revision ?? 0) !== revision) return false;
    entries.set(id, structuredClone({ id, revision: revision + 1, value }));
    return true;
  }

  private of(subject: readonly string[]): Map<string, BookkeepingEntry> {
    const key = joinedKey(undefined, ...subject);
    const entries = this.subjects.get(key) ?? new Map<string, BookkeepingEntry>();
    this.subjects.set(key, entries);
    return entries;
  }
}

function positionKey(projection: string, stream: StreamId): string {
  return joinedKey(undefined, projection, streamKey(stream));
}
