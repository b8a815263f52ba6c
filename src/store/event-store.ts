import type { EventMetadata } from '../event/event-metadata.js';
import { CommandContext } from '../event/command-context.js';
import type { RecordedEvent, RecordedVersion } from '../event/recorded-event.js';
import type { StreamId } from '../event/stream-id.js';
import type { Commit, CommitReference, CommitResult } from './commit.js';
import type { CommitOutcome } from './commit-outcome.js';
import { eventQuery, type EventQuery, type QueryBy, type QueryRange } from './event-query.js';
import type { EventSubscription, Subscribe, SubscribeOptions } from './event-subscription.js';
import type { ExpectedVersion } from './expected-version.js';
import type { IdempotencyKey, StoredIdempotencyRecord } from './idempotency.js';
import type { CommitWrites, JoinedWrite } from './joined-write.js';
import { throwIfAborted } from './operation-signal.js';
import type { Snapshot, StreamSinceSnapshot } from './snapshot.js';
import { MissingTenantError } from './store-errors.js';
import type { StoredEvent } from './stored-event.js';

/** Which events of a stream, and in which order. Both bounds are inclusive, whatever the direction. */
export interface ReadRange {
  readonly fromVersion?: number;
  readonly toVersion?: number;
  /** Default `forward`: oldest first. */
  readonly direction?: 'forward' | 'backward';
  /** At most so many stored events; default all. One that upcasting splits or drops counts as one. */
  readonly limit?: number;
  /** Ends the read with `OperationAbortedError`. */
  readonly signal?: AbortSignal;
  /**
   * What `deadlineMs` limits: the wait for each next event, as whoever iterates may take any time; or the whole
   * `read`, which suits one that is consumed at once. Default `event`.
   */
  readonly deadlineFor?: 'event' | 'read';
}

export interface TenantOptions {
  /** Refuse every operation that names no tenant, with `MissingTenantError`; default false. */
  readonly requireTenant?: boolean;
}

export interface OperationOptions {
  /**
   * Ends the operation: with `OperationAbortedError` when it is certain that nothing was written, with
   * `CommitOutcomeUnknownError` when a write was under way.
   */
  readonly signal?: AbortSignal;
}

export interface AppendOptions extends OperationOptions {
  readonly expectedVersion: ExpectedVersion;
  readonly metadata?: Partial<EventMetadata>;
}

/**
 * The store of events. Commands need none of this, as the repository uses it; it is there for imports, migrations
 * and tools. Inject it by this class.
 *
 * A stream without `tenantId` is that of the tenant in the running `CommandContext`, where there is one.
 */
export abstract class EventStore {
  /** How events are followed from here; the module sets it, as what reads on and on is no part of the store. */
  follow: Subscribe | undefined;
  /** What joins every commit; the module sets it for inline projections. */
  joinCommits: CommitWrites | undefined;

  constructor(private readonly tenants: TenantOptions = {}) {}

  /**
   * Stores events at the end of one stream. A number as expected version costs one more request than `NO_STREAM`,
   * as the head is checked. Without events nothing happens.
   *
   * @throws ConcurrencyError when the stream is at another version
   * @throws what {@link commit} throws
   */
  append(stream: StreamId, events: readonly object[], options: AppendOptions): Promise<CommitResult> {
    const { expectedVersion, metadata, ...rest } = options;
    return this.commit({ appends: [{ stream, events, expectedVersion }], ...(metadata && { metadata }) }, rest);
  }

  /**
   * Stores the events of several streams atomically: 1 to 100 events of together at most 4 MB.
   *
   * @throws ConcurrencyError when a stream is at another version than expected
   * @throws DuplicateCommandError when there is a record of its idempotency key already
   * @throws UniqueConstraintError when another aggregate holds a value that one of these reserves
   * @throws CommitTooLargeError, InvalidStreamIdError, InvalidCommitError, InvalidEventError, MissingTenantError,
   *   UnserializableEventError before anything is written
   * @throws EventStoreUnavailableError when nothing could be written before the deadline
   * @throws OperationAbortedError when the signal came before anything was written
   * @throws CommitOutcomeUnknownError when it could not be learned whether it was written
   * @throws TableWriteRefusedError when a write of an inline projection was refused, and what its methods throw
   */
  abstract commit(commit: Commit, options?: OperationOptions): Promise<CommitResult>;

  /** Waits for the commits that are under way, and what whoever awaits them does at once; when an application closes. */
  async settle(): Promise<void> {}

  /**
   * How a commit ended whose outcome was unknown: one request for each of its streams until one tells. With
   * `ANY_VERSION` in a commit of your own, the stream is searched for the commitId. An error, or what has its
   * `lastAttemptAt`, names its tenants itself, whatever context it is asked about in.
   *
   * @throws InvalidCommitError when the commit has no commitId
   * @throws EventStoreUnavailableError, OperationAbortedError
   */
  abstract outcomeOf(commit: CommitReference, options?: OperationOptions): Promise<CommitOutcome>;

  /**
   * The events of a stream, none when there is no such stream. Pages as it goes, with one page in memory at most.
   *
   * @throws UnknownEventTypeError, CorruptStreamError, EventStoreUnavailableError, OperationAbortedError,
   *   InvalidStreamIdError while iterating
   * @throws MissingTenantError at once
   */
  read(stream: StreamId, range?: ReadRange): AsyncIterable<RecordedEvent> {
    return eventsOf(this.readVersions(stream, range), range?.direction === 'backward');
  }

  /** Like `read`, with one entry for each stored event: what it is read as, also where that is nothing or several. */
  abstract readVersions(stream: StreamId, range?: ReadRange): AsyncIterable<RecordedVersion>;

  /**
   * All events of an aggregate type, or all that a user caused, in the order of their times; those of one stream in the
   * order of their versions. For questions about the past, and not to decide by: indexes follow the table a little
   * later, so what was stored a moment ago may be missing, and of a commit a part may be there.
   *
   * A type's events lie in four slices, which are merged: the first event is there after one request for each slice, and
   * a page of each, at most 1 MB, is in memory. A user's lie together. `deadlineMs` limits the wait for each page.
   *
   * Read units are those of the events in the range, at half the price of `read`; with a `limit`, of up to four times so
   * many. `eventTypes` only saves transfer: all events of the aggregate type are read. Without a tenant, those of
   * tenants are read as well, and left out.
   *
   * To go on after a page, give its last event as `after`: no event is lost or doubled, also among those of one
   * millisecond, whose order is any, and always the same.
   *
   * @throws UnknownEventTypeError, CorruptStreamError, EventStoreUnavailableError, OperationAbortedError,
   *   InvalidStreamIdError, RangeError for a time, limit or position that is none, while iterating
   * @throws MissingTenantError at once
   */
  query(by: QueryBy, range: QueryRange = {}): AsyncIterable<RecordedEvent> {
    return this.found(by, this.tenantOr(by.tenantId), range);
  }

  private async *found(
    by: QueryBy,
    tenantId: string | undefined,
    range: QueryRange,
  ): AsyncGenerator<RecordedEvent, void> {
    const query = eventQuery(by, tenantId, range);
    const { forward, limit, from, to, signal } = query;
    throwIfAborted(signal);
    if (limit === 0 || from > to) return;
    let given = 0;
    for await (const { events } of this.queryVersions(query)) {
      for (const event of forward ? events : events.toReversed()) {
        yield event;
        throwIfAborted(signal);
      }
      given += events.length;
      // A version that was split is given out whole, as `after` names a version and could not go on inside of one.
      if (given >= limit) return;
    }
  }

  /** Stored events in the order of the query; at least as many as it wants, where there are. */
  protected abstract queryVersions(query: EventQuery): AsyncIterable<RecordedVersion>;

  /**
   * The newest snapshot of a stream and the events after it. All of it, events included, has to be over by the deadline.
   *
   * @param tail how many events to fetch along with the snapshot; up to so many, it is a single request. 0 looks only
   *   for a state that travelled with the last event itself
   */
  abstract readSinceSnapshot(stream: StreamId, tail: number): Promise<StreamSinceSnapshot>;

  /** What is kept of a command that was carried out; one request, and undefined when there is nothing or it has expired. */
  abstract findIdempotencyRecord(key: IdempotencyKey): Promise<StoredIdempotencyRecord | undefined>;

  /**
   * Events of aggregate types, from the first one or from where a subscription of this name stopped, and on and on.
   * Several processes that subscribe under one name share the events.
   *
   * @throws SubscriptionError when the name is taken in this process, or it begins at no time
   * @throws TypeError when this is not the store of an EventStoreModule
   */
  subscribe(options: SubscribeOptions): EventSubscription {
    if (this.follow) return this.follow(options);
    throw new TypeError('Only the EventStore of an EventStoreModule can be subscribed to: inject it.');
  }

  /** Keeps a snapshot, unless a newer one is there. */
  abstract saveSnapshot(stream: StreamId, snapshot: Snapshot): Promise<void>;

  /** What joins the commit of these events. */
  protected async joinedWrites(events: readonly StoredEvent[]): Promise<readonly JoinedWrite[]> {
    return this.joinCommits && events.length > 0 ? this.joinCommits(events) : [];
  }

  /**
   * The stream with its tenant.
   *
   * @param complete whether it has its tenant already, or has none
   * @throws MissingTenantError when there has to be one
   */
  protected scoped(stream: StreamId, complete = false): StreamId {
    const tenantId = this.tenantOr(stream.tenantId, complete);
    return tenantId === stream.tenantId ? stream : { ...stream, ...(tenantId !== undefined && { tenantId }) };
  }

  protected scopedCommit(commit: Commit): Commit {
    const { appends, idempotency, unique } = commit;
    return {
      ...commit,
      appends: appends.map((append) => ({ ...append, stream: this.scoped(append.stream) })),
      ...(idempotency && { idempotency: this.scopedKey(idempotency) }),
      ...(unique && { unique: unique.map((change) => ({ ...change, stream: this.scoped(change.stream) })) }),
    };
  }

  protected scopedKey<K extends IdempotencyKey>(key: K, complete = false): K {
    const tenantId = this.tenantOr(key.tenantId, complete);
    return tenantId === undefined ? key : { ...key, tenantId };
  }

  protected scopedReference(commit: CommitReference): CommitReference {
    const { commitId, lastAttemptAt, idempotency } = commit;
    // An error names its streams as they were stored, and one without a tenant is not that of who asks later.
    const isError = lastAttemptAt !== undefined;
    return {
      appends: commit.appends.map((append) => ({ ...append, stream: this.scoped(append.stream, isError) })),
      ...(commitId !== undefined && { commitId }),
      ...(lastAttemptAt && { lastAttemptAt }),
      ...(idempotency && { idempotency: this.scopedKey(idempotency, isError) }),
    };
  }

  /** @throws MissingTenantError when there has to be one */
  private tenantOr(given: string | undefined, complete = false): string | undefined {
    const tenantId = given ?? (complete ? undefined : CommandContext.current().tenantId);
    if (tenantId === undefined && this.tenants.requireTenant) throw new MissingTenantError();
    return tenantId;
  }
}

async function* eventsOf(versions: AsyncIterable<RecordedVersion>, backward: boolean): AsyncIterable<RecordedEvent> {
  for await (const { events } of versions) yield* backward ? events.toReversed() : events;
}
