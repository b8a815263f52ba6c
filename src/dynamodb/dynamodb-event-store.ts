import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { EventRegistry } from '../event/event-registry.js';
import type { RecordedVersion } from '../event/recorded-event.js';
import { streamKey, type StreamId } from '../event/stream-id.js';
import type { Commit, CommitReference, CommitResult, StreamHead } from '../store/commit.js';
import { outcomeOf, type CommitOutcome } from '../store/commit-outcome.js';
import type { EventQuery } from '../store/event-query.js';
import { EventStore, type OperationOptions, type ReadRange, type TenantOptions } from '../store/event-store.js';
import { keyOf, type IdempotencyKey, type StoredIdempotencyRecord } from '../store/idempotency.js';
import { idempotencyKeyText } from '../store/idempotency-key-text.js';
import type { JoinedWrite } from '../store/joined-write.js';
import { ANY_VERSION, NO_STREAM } from '../store/expected-version.js';
import { prepareCommit, type PreparedAppend, type PreparedCommit } from '../store/prepare-commit.js';
import { versionRange } from '../store/read-range.js';
import { sideBySide } from '../store/side-by-side.js';
import type { Snapshot, StreamSinceSnapshot } from '../store/snapshot.js';
import {
  CommitOutcomeUnknownError,
  ConcurrencyError,
  DuplicateCommandError,
  EventStoreUnavailableError,
} from '../store/store-errors.js';
import { placeEvents, recordedVersionFrom, recordInstances, type StoredEvent } from '../store/stored-event.js';
import { invalidWritesError, refusedByConditionError } from '../store/table-write.js';
import { heldByAnother } from '../store/unique-values.js';
import { appendRequest, snapshotRequest } from './append-request.js';
import { RECORD_SORT_KEY, recordFrom } from './bookkeeping-items.js';
import { writeCommit, type CommitPlaces } from './commit-protocol.js';
import { commitSlots, type CommitSlot, type PlacedAppend } from './commit-slots.js';
import { Deadline, Wait } from './deadline.js';
import { IndexReader } from './index-reader.js';
import { snapshotItem } from './items.js';
import { itemQuery } from './query-request.js';
import { RequestRefusedError, Sender } from './sender.js';
import { StreamReader } from './stream-reader.js';
import type { TableNames } from './table.js';

export interface DynamoDbEventStoreOptions extends TenantOptions {
  readonly client: DynamoDBClient;
  readonly tables: TableNames;
  readonly registry: EventRegistry;
  /** No operation takes longer; in milliseconds. See `deadlineFor` of reads. */
  readonly deadlineMs: number;
}

/** The store in DynamoDB. Placing, requests, sending and settling each have a file of their own. */
export class DynamoDbEventStore extends EventStore {
  private readonly sender: Sender;
  private readonly reader: StreamReader;
  private readonly index: IndexReader;
  private readonly tables: TableNames;
  private readonly registry: EventRegistry;
  private readonly deadlineMs: number;
  private readonly underWay = new Set<Promise<CommitResult>>();

  constructor({ client, tables, registry, deadlineMs, ...tenants }: DynamoDbEventStoreOptions) {
    super(tenants);
    this.sender = new Sender(client);
    this.tables = tables;
    this.reader = new StreamReader(this.sender, tables.events);
    this.index = new IndexReader(this.sender, tables.events, deadlineMs);
    this.registry = registry;
    this.deadlineMs = deadlineMs;
  }

  override async commit(commit: Commit, options: OperationOptions = {}): Promise<CommitResult> {
    const committing = this.write(commit, options);
    this.underWay.add(committing);
    try {
      return await committing;
    } finally {
      this.underWay.delete(committing);
    }
  }

  override async settle(): Promise<void> {
    await Promise.allSettled(this.underWay);
    // Whoever awaited them goes on first, as with a snapshot.
    await new Promise(setImmediate);
  }

  private async write(commit: Commit, { signal }: OperationOptions): Promise<CommitResult> {
    // Encoding what is large takes its part of the time.
    const deadline = Deadline.after(this.deadlineMs, signal);
    const prepared = prepareCommit(this.scopedCommit(commit), this.registry);
    const { commitId, idempotency } = prepared;
    if (prepared.appends.length === 0 && !idempotency) return { commitId, appended: [] };
    deadline.throwIfAborted();
    if (deadline.remainingMs === 0) throw encodingTookAll();
    // The token is the commitId, unless the caller gave that and may have used it before. Behind a stream of any
    // version the commit is placed anew after a lost race: those are other bytes, which need another token.
    const firstToken = commit.commitId === undefined ? commitId : randomUUID();
    for (let token = firstToken; ; token = randomUUID()) {
      const placed = await this.place(prepared, deadline);
      const joined = await this.joinedBefore(deadline, placed);
      const slots = commitSlots(prepared, placed, joined, this.tables);
      const request = appendRequest(
        slots.map(({ write }) => write),
        token,
      );
      const places = this.placesOf(prepared, slots, deadline);
      const outcome = await writeCommit(this.sender, request, places, deadline).catch(orInvalidWrites(joined));
      if (outcome.kind === 'stored') return stored(prepared, placed);
      if (outcome.kind === 'unknown') {
        const { lastFailure } = outcome;
        const key = idempotency && keyOf(idempotency);
        throw new CommitOutcomeUnknownError(commitId, placed.map(placeOf), lastFailure, new Date(), key);
      }
      const taken = slots[outcome.taken]!;
      if (taken.kind === 'record') throw new DuplicateCommandError(keyOf(taken.record));
      if (taken.kind === 'unique') throw heldByAnother(taken.unique);
      if (taken.kind === 'joined') throw refusedByConditionError(taken.joined.projection, taken.joined.write);
      const { append, event } = taken;
      if (append.expectedVersion !== ANY_VERSION) {
        const head = await this.reader.head(append.key, deadline);
        throw new ConcurrencyError(append.stream, append.expectedVersion, head?.version ?? event.version);
      }
    }
  }

  override readVersions(stream: StreamId, range?: ReadRange): AsyncIterable<RecordedVersion> {
    return this.versions(this.scoped(stream), range);
  }

  override async outcomeOf(commit: CommitReference, { signal }: OperationOptions = {}): Promise<CommitOutcome> {
    const deadline = Deadline.after(this.deadlineMs, signal);
    return outcomeOf(this.scopedReference(commit), {
      event: (stream, wanted) =>
        'version' in wanted
          ? this.reader.at(streamKey(stream), wanted.version, deadline)
          : this.reader.find(stream, streamKey(stream), wanted, Wait.until(deadline)),
      record: (key) => this.record(key, deadline),
    });
  }

  protected override async *queryVersions(query: EventQuery): AsyncIterable<RecordedVersion> {
    const names = query.eventTypes && this.registry.namesOf(query.eventTypes);
    for await (const event of this.index.read(query, names)) yield recordedVersionFrom(event, this.registry);
  }

  override async readSinceSnapshot(named: StreamId, tail: number): Promise<StreamSinceSnapshot> {
    const { registry } = this;
    const stream = this.scoped(named);
    const key = streamKey(stream);
    const wait = Wait.until(Deadline.after(this.deadlineMs));
    const { snapshot, events } = await this.reader.sinceSnapshot(stream, key, tail, wait);
    async function* recorded(source: AsyncIterable<StoredEvent>) {
      for await (const event of source) yield recordedVersionFrom(event, registry);
    }
    const all = this.reader.read(stream, key, versionRange(), wait);
    return { snapshot, events: recorded(events), allEvents: recorded(all) };
  }

  override async findIdempotencyRecord(key: IdempotencyKey): Promise<StoredIdempotencyRecord | undefined> {
    return this.record(this.scopedKey(key), Deadline.after(this.deadlineMs));
  }

  override async saveSnapshot(named: StreamId, snapshot: Snapshot): Promise<void> {
    const stream = this.scoped(named);
    const request = snapshotRequest(this.tables.events, snapshotItem(stream, streamKey(stream), snapshot));
    await this.sender.writeSnapshot(request, Deadline.after(this.deadlineMs));
  }

  private async record(key: IdempotencyKey, deadline: Deadline) {
    const query = itemQuery(this.tables.bookkeeping, idempotencyKeyText(key), RECORD_SORT_KEY);
    const { items } = await this.sender.query(query, deadline);
    return items[0] && recordFrom(items[0], Date.now());
  }

  /**
   * Who holds the places of a commit. A commit's first event proves that it is stored: a record or a unique value has
   * only the commitId, which the caller may have used before, and the items of views tell nothing.
   */
  private placesOf({ commitId }: PreparedCommit, slots: readonly CommitSlot[], deadline: Deadline): CommitPlaces {
    const proving = Math.max(
      slots.findIndex(({ kind }) => kind === 'event'),
      0,
    );
    const proof = slots[proving]!;
    const identity =
      proof.kind === 'event'
        ? proof.event
        : { commitId, eventId: proof.kind === 'record' ? proof.record.fingerprint : '' };
    return {
      proofOf: (position) => (slots[position]!.kind === 'joined' ? undefined : { position: proving, identity }),
      staysTaken: (position) => ['event', 'record'].includes(slots[position]!.kind),
      holderOf: async () => {
        if (proof.kind === 'event') return this.reader.at(proof.append.key, proof.event.version, deadline);
        const record = proof.kind === 'record' && (await this.record(proof.record, deadline));
        return record ? { commitId: record.commitId, eventId: record.fingerprint } : undefined;
      },
    };
  }

  private async *versions(stream: StreamId, range?: ReadRange): AsyncIterable<RecordedVersion> {
    const wait = Wait.of(this.deadlineMs, range);
    const events = this.reader.read(stream, streamKey(stream), versionRange(range), wait);
    for await (const event of events) yield recordedVersionFrom(event, this.registry);
  }

  /** @throws EventStoreUnavailableError, OperationAbortedError when inline projections are not ready before */
  private async joinedBefore(deadline: Deadline, placed: readonly PlacedAppend[]): Promise<readonly JoinedWrite[]> {
    if (!this.joinCommits) return [];
    const joined = this.joinedWrites(placed.flatMap(({ events }) => events));
    return deadline.over(joined, () => {
      throw new EventStoreUnavailableError(
        'Inline projections had not returned at the deadline. Nothing was written. Let their methods only add to context.transaction, or raise deadlineMs.',
      );
    });
  }

  /** Gives every event its version. A head that a load has shown, or that must not exist, needs no request. */
  private async place(prepared: PreparedCommit, deadline: Deadline): Promise<readonly PlacedAppend[]> {
    const now = Date.now();
    const { appends } = prepared;
    return sideBySide(appends, appends.length, async (append) => {
      const head = await this.headOf(append, deadline);
      return { append, events: placeEvents(prepared, append, head, now) };
    });
  }

  private async headOf(
    { stream, key, expectedVersion, loadedHead }: PreparedAppend,
    deadline: Deadline,
  ): Promise<StreamHead> {
    if (loadedHead) return loadedHead;
    if (expectedVersion === NO_STREAM) return { version: 0, eventTime: 0 };
    const { version, eventTime } = (await this.reader.head(key, deadline)) ?? { version: 0, eventTime: 0 };
    if (expectedVersion !== ANY_VERSION && expectedVersion !== version) {
      throw new ConcurrencyError(stream, expectedVersion, version);
    }
    return { version, eventTime };
  }
}

function encodingTookAll(): EventStoreUnavailableError {
  return new EventStoreUnavailableError(
    'Encoding the commit took until the deadline. Nothing was written. Store less at once, or raise deadlineMs.',
  );
}

function placeOf({ append, events }: PlacedAppend): CommitOutcomeUnknownError['appends'][number] {
  const [{ version, eventId }] = events as [StoredEvent];
  return { stream: append.stream, expectedVersion: version - 1, eventId };
}

function stored({ commitId }: PreparedCommit, placed: readonly PlacedAppend[]): CommitResult {
  for (const { append, events } of placed) recordInstances(events, append.events);
  return {
    commitId,
    appended: placed.map(({ append, events }) => ({ stream: append.stream, version: events.at(-1)!.version })),
  };
}

/** DynamoDB takes the writes of commits, as these are checked before; what it refuses is of inline projections. */
function orInvalidWrites(joined: readonly JoinedWrite[]): (error: unknown) => never {
  return (error) => {
    const isTheirs = joined.length > 0 && error instanceof RequestRefusedError && error.isInvalid;
    throw isTheirs ? invalidWritesError(joined.map(({ write }) => write)) : error;
  };
}
