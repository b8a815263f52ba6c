import type { StreamRecord } from '../../src/index.js';
import { eventOfRecord } from '../../src/dynamodb/stream-record.js';
import { streamKey, type StreamId } from '../../src/event/stream-id.js';
import {
  EventStream,
  IteratorExpiredError,
  RecordsTrimmedError,
  type Shard,
  type ShardPage,
  type ShardPlace,
} from '../../src/store/event-stream.js';
import { EventStoreUnavailableError } from '../../src/store/store-errors.js';
import { isReadable } from '../../src/store/stored-event.js';
import { hashOf } from './hash.js';

/** A record that is made when it is read, as a long stream would not fit into memory otherwise. */
export type Told = () => StreamRecord;

/** A part of the stream, with all that it was told. */
export class FakeShard {
  readonly records: Told[] = [];
  readonly children: FakeShard[] = [];
  /** How many records were trimmed. */
  trimmed = 0;
  closed = false;

  /** @param parents those in whose place it goes on; a stream names only one of them */
  constructor(
    readonly id: string,
    readonly parents: readonly FakeShard[],
    readonly parentId: string | undefined = parents[0]?.id,
  ) {}

  tell(...records: readonly Told[]): void {
    this.records.push(...records);
  }

  /** Records with their sequence numbers, from an index on. */
  recordsFrom(index: number, limit: number): StreamRecord[] {
    return this.records.slice(index, index + limit).map((told, at) => {
      const { dynamodb, ...record } = told();
      return { ...record, dynamodb: { ...dynamodb, SequenceNumber: String(index + at + 1) } };
    });
  }
}

/**
 * A stream of changes whose shards do what a test says. An iterator is a shard, how many records come before it, and
 * how often the iterators had expired when it was made.
 */
export class FakeStream extends EventStream {
  readonly all = new Map<string, FakeShard>();
  /** Where reading began, each time. */
  readonly places: string[] = [];
  /** What the next reads throw. */
  readonly failures: Error[] = [];
  /** Whether it keeps for itself for now what it was told. */
  isSilent = false;
  reads = 0;
  readsOfNothing = 0;
  private readonly roots: FakeShard[] = [];
  private made = 0;
  private expiries = 0;

  constructor(private readonly pageSize: number) {
    super();
  }

  add(id = `shard-${++this.made}`, ...parents: readonly FakeShard[]): FakeShard {
    const shard = new FakeShard(id, parents);
    this.all.set(id, shard);
    if (parents.length === 0) this.roots.push(shard);
    for (const parent of parents) parent.children.push(shard);
    return shard;
  }

  /** A shard whose parent is in the stream no more. */
  addOrphan(id: string): FakeShard {
    const shard = new FakeShard(id, [], 'long gone');
    this.all.set(id, shard);
    return shard;
  }

  get open(): readonly FakeShard[] {
    return [...this.all.values()].filter(({ closed }) => !closed);
  }

  /** The open shard to which the records of an event stream go. */
  shardOf(stream: StreamId): FakeShard {
    const key = streamKey(stream);
    let shard = this.roots[hashOf(key) % this.roots.length]!;
    while (shard.closed) shard = shard.children[hashOf(`${shard.id}/${key}`) % shard.children.length]!;
    return shard;
  }

  /** Two shards go on in place of one. */
  split(shard: FakeShard): void {
    shard.closed = true;
    for (let child = 0; child < 2; child++) this.add(undefined, shard);
  }

  /** One shard goes on in place of several. */
  merge(shards: readonly FakeShard[]): void {
    for (const shard of shards) shard.closed = true;
    this.add(undefined, ...shards);
  }

  /** All that was told so far is deleted. */
  trim(): void {
    for (const shard of this.all.values()) shard.trimmed = shard.records.length;
  }

  /** Shards that end now are deleted with all their records; others go on in their place. */
  loseShards(): void {
    for (const shard of this.open) {
      this.split(shard);
      this.all.delete(shard.id);
    }
  }

  expireIterators(): void {
    this.expiries++;
  }

  override async shards(): Promise<readonly Shard[]> {
    // In no order.
    return [...this.all.values()]
      .toReversed()
      .map(({ id, parentId }) => ({ id, ...(parentId !== undefined && { parentId }) }));
  }

  override async iterator(id: string, place: ShardPlace): Promise<string> {
    const shard = this.all.get(id);
    if (!shard) throw new EventStoreUnavailableError('There is no such shard.');
    this.places.push(`${id} ${typeof place === 'object' ? `after ${place.after}` : place}`);
    if (typeof place === 'object') return this.iteratorAt(id, Number(place.after));
    return this.iteratorAt(id, place === 'latest' ? shard.records.length : shard.trimmed);
  }

  override async read(iterator: string): Promise<ShardPage> {
    this.reads++;
    const failure = this.failures.shift();
    if (failure) throw failure;
    const [id, at, expiries] = iterator.split('/') as [string, string, string];
    if (Number(expiries) !== this.expiries) throw new IteratorExpiredError();
    const shard = this.all.get(id);
    if (!shard) {
      this.readsOfNothing++;
      throw new EventStoreUnavailableError('There is no such shard.');
    }
    if (this.isSilent) return { events: [], last: undefined, next: iterator };
    if (Number(at) < shard.trimmed) throw new RecordsTrimmedError();
    const records = shard.recordsFrom(Number(at), this.pageSize);
    const next = Number(at) + records.length;
    const isOver = shard.closed && next === shard.records.length;
    return {
      events: records.flatMap((record) => eventOfRecord(record) ?? []).filter(isReadable),
      last: records.at(-1)?.dynamodb?.SequenceNumber,
      next: isOver ? undefined : this.iteratorAt(id, next),
    };
  }

  override close(): void {}

  private iteratorAt(id: string, index: number): string {
    return `${id}/${index}/${this.expiries}`;
  }
}
