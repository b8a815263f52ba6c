import { storedBytes } from '../event/compression.js';
import type { EventRegistry } from '../event/event-registry.js';
import type { RecordedVersion } from '../event/recorded-event.js';
import { streamKey, type StreamId } from '../event/stream-id.js';
import type { Commit, CommitReference, CommitResult, StreamHead } from './commit.js';
import { isEventOf, outcomeOf, type CommitOutcome } from './commit-outcome.js';
import { assertEventSizes } from './commit-limits.js';
import type { EventPosition, EventQuery } from './event-query.js';
import { EventStore, type OperationOptions, type ReadRange, type TenantOptions } from './event-store.js';
import { ANY_VERSION } from './expected-version.js';
import { keyOf, type IdempotencyKey, type StoredIdempotencyRecord } from './idempotency.js';
import { idempotencyKeyText } from './idempotency-key-text.js';
import type { JoinedWrite } from './joined-write.js';
import { throwIfAborted } from './operation-signal.js';
import { prepareCommit, type PreparedAppend, type PreparedCommit } from './prepare-commit.js';
import { versionRange } from './read-range.js';
import type { Snapshot, StreamSinceSnapshot } from './snapshot.js';
import { ConcurrencyError, DuplicateCommandError } from './store-errors.js';
import { placeEvents, recordedVersionFrom, recordInstances, type StoredEvent } from './stored-event.js';
import { noTablesError } from './table-write.js';
import { heldByAnother } from './unique-values.js';

interface PlacedEvents {
  readonly append: PreparedAppend;
  readonly events: readonly StoredEvent[];
}

/**
 * The store in a few lines: what an event store promises, without a database in the way. It is the reference for
 * what DynamoDbEventStore does, keeps events in the same encoded form, and refuses what that refuses; its sizes
 * leave out keys and metadata, so an event within a kilobyte of a limit may be judged otherwise.
 */
export class InMemoryEventStore extends EventStore {
  private readonly streams = new Map<string, StoredEvent[]>();
  private readonly snapshots = new Map<string, Snapshot>();
  private readonly records = new Map<string, StoredIdempotencyRecord>();
  /** All events of an aggregate type, in the order in which they were stored. */
  private readonly logs = new Map<string, StoredEvent[]>();
  /** Key of the stream that holds a unique value. */
  private readonly holders = new Map<string, string>();

  constructor(
    private readonly registry: EventRegistry,
    tenants?: TenantOptions,
  ) {
    super(tenants);
  }

  override async commit(commit: Commit, { signal }: OperationOptions = {}): Promise<CommitResult> {
    throwIfAborted(signal);
    const prepared = prepareCommit(this.scopedCommit(commit), this.registry);
    const { commitId, idempotency, unique } = prepared;
    let placed = this.place(prepared);
    for (let isJoined = !this.joinCommits; !isJoined;) {
      const joined = await this.joinedWrites(placed.flatMap(({ events }) => events));
      const again = this.place(prepared);
      // Otherwise another commit came between, and inline projections have to have the events as they are now.
      isJoined = isSamePlace(placed, again);
      const own = again.reduce((sum, { events }) => sum + events.length, unique.length + (idempotency ? 1 : 0));
      if (isJoined) this.takeJoined(joined, own);
      else placed = again;
    }
    // No await stands between the checks and this: that makes it atomic.
    for (const { append, events } of placed) {
      const stream = this.streams.get(append.key);
      if (stream) stream.push(...events);
      else this.streams.set(append.key, [...events]);
      this.logOf(append.stream.aggregateType).push(...events);
      recordInstances(events, append.events);
    }
    for (const { key, stream, held } of unique) {
      if (held) this.holders.set(key, streamKey(stream));
      else this.holders.delete(key);
    }
    if (idempotency) this.records.set(idempotency.keyText, { ...idempotency, commitId });
    return {
      commitId,
      appended: placed.map(({ append, events }) => ({ stream: append.stream, version: events.at(-1)!.version })),
    };
  }

  override async outcomeOf(commit: CommitReference, { signal }: OperationOptions = {}): Promise<CommitOutcome> {
    throwIfAborted(signal);
    const outcome = await outcomeOf(this.scopedReference(commit), {
      event: async (stream, wanted) => {
        const events = this.streams.get(streamKey(stream)) ?? [];
        return 'version' in wanted ? events[wanted.version - 1] : events.findLast((event) => isEventOf(event, wanted));
      },
      record: async (key) => this.records.get(idempotencyKeyText(key)),
    });
    // Nothing is ever under way here.
    return outcome === 'undecided' ? 'not-stored' : outcome;
  }

  override readVersions(stream: StreamId, range?: ReadRange): AsyncIterable<RecordedVersion> {
    return this.versions(this.scoped(stream), range);
  }

  protected override async *queryVersions(query: EventQuery): AsyncIterable<RecordedVersion> {
    const { by, tenantId, eventTypes, from, to, forward, after } = query;
    const names = eventTypes && this.registry.namesOf(eventTypes);
    const found = [...this.streams.values()].flat().filter(({ stream, eventTime, eventType, metadata }) => {
      const asked = 'userId' in by ? metadata.userId === by.userId : stream.aggregateType === by.aggregateType;
      return (
        asked &&
        stream.tenantId === tenantId &&
        eventTime >= from &&
        eventTime <= to &&
        (!names || names.includes(eventType))
      );
    });
    const inOrder = forward ? byTime : (one: EventPosition, other: EventPosition) => byTime(other, one);
    for (const stored of found.toSorted(inOrder)) {
      if (!after || inOrder(stored, after) > 0) yield recordedVersionFrom(stored, this.registry);
    }
  }

  override async readSinceSnapshot(named: StreamId): Promise<StreamSinceSnapshot> {
    const stream = this.scoped(named);
    const key = streamKey(stream);
    const inline = this.streams.get(key)?.findLast((event) => event.state);
    const separate = this.snapshots.get(key);
    const snapshot =
      inline && inline.version > (separate?.version ?? 0)
        ? { ...inline.state!, version: inline.version, eventTime: inline.eventTime }
        : separate;
    const events = this.versions(stream, { fromVersion: (snapshot?.version ?? 0) + 1 });
    return { snapshot, events, allEvents: this.versions(stream) };
  }

  override async findIdempotencyRecord(key: IdempotencyKey): Promise<StoredIdempotencyRecord | undefined> {
    return this.record(idempotencyKeyText(this.scopedKey(key)));
  }

  override async saveSnapshot(stream: StreamId, snapshot: Snapshot): Promise<void> {
    const key = streamKey(this.scoped(stream));
    const kept = this.snapshots.get(key);
    if (kept && kept.version >= snapshot.version && kept.snapshotVersion >= snapshot.snapshotVersion) return;
    this.snapshots.set(key, snapshot);
  }

  /** All events of an aggregate type, oldest first. For the feed, which reads along while it grows. */
  logOf(aggregateType: string): StoredEvent[] {
    const log = this.logs.get(aggregateType) ?? [];
    this.logs.set(aggregateType, log);
    return log;
  }

  /** The events of a stream as they are stored. */
  storedEvents(stream: StreamId): readonly StoredEvent[] {
    return this.streams.get(streamKey(stream)) ?? [];
  }

  /** Checks what a database would, and gives the events their versions. */
  private place({ appends, idempotency, unique, ...commit }: PreparedCommit): readonly PlacedEvents[] {
    if (idempotency && this.record(idempotency.keyText)) throw new DuplicateCommandError(keyOf(idempotency));
    const now = Date.now();
    const placed = appends.map((append) => {
      const head = this.head(append.key);
      if (append.expectedVersion !== ANY_VERSION && append.expectedVersion !== head.version) {
        throw new ConcurrencyError(append.stream, append.expectedVersion, head.version);
      }
      return { append, events: placeEvents(commit, append, head, now) };
    });
    assertEventSizes(
      placed.flatMap(({ events }) =>
        events.map(({ eventType, eventData }) => ({ eventType, bytes: storedBytes(eventData) })),
      ),
    );
    for (const wanted of unique) {
      const holder = this.holders.get(wanted.key);
      if (holder !== undefined && !wanted.holdersBefore.includes(holder)) throw heldByAnother(wanted);
    }
    return placed;
  }

  /**
   * There are no tables here. A test double takes them.
   *
   * @param _own how many writes the commit has without them
   */
  protected takeJoined(writes: readonly JoinedWrite[], _own: number): void {
    if (writes.length > 0) throw noTablesError();
  }

  private record(keyText: string): StoredIdempotencyRecord | undefined {
    const record = this.records.get(keyText);
    return record && record.expiresAt > Date.now() ? record : undefined;
  }

  private async *versions(stream: StreamId, range?: ReadRange): AsyncIterable<RecordedVersion> {
    throwIfAborted(range?.signal);
    const { from, to, forward, limit } = versionRange(range);
    const inRange = (this.streams.get(streamKey(stream)) ?? []).slice(from - 1, to);
    if (!forward) inRange.reverse();
    for (const stored of inRange.slice(0, limit)) {
      throwIfAborted(range?.signal);
      yield recordedVersionFrom(stored, this.registry);
    }
  }

  private head(key: string): StreamHead {
    const last = this.streams.get(key)?.at(-1);
    return { version: last?.version ?? 0, eventTime: last?.eventTime ?? 0 };
  }
}

function isSamePlace(one: readonly PlacedEvents[], other: readonly PlacedEvents[]): boolean {
  return one.every(({ events }, at) => events[0]!.version === other[at]!.events[0]!.version);
}

/** By time; at the same time by stream, in any order that never changes. A stream has no two events at one time. */
function byTime(one: EventPosition, other: EventPosition): number {
  if (one.eventTime !== other.eventTime) return one.eventTime - other.eventTime;
  const [key, otherKey] = [streamKey(one.stream), streamKey(other.stream)];
  return key === otherKey ? 0 : key < otherKey ? -1 : 1;
}
