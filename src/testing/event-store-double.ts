import { randomUUID } from 'node:crypto';
import { copyInstance } from '../event/plain-copy.js';
import type { EventRegistry } from '../event/event-registry.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import type { StreamId } from '../event/stream-id.js';
import type { Commit, CommitResult } from '../store/commit.js';
import { assertWriteCount, COMMIT_LIMITS } from '../store/commit-limits.js';
import type { OperationOptions, TenantOptions } from '../store/event-store.js';
import { ANY_VERSION } from '../store/expected-version.js';
import { keyOf } from '../store/idempotency.js';
import type { JoinedWrite } from '../store/joined-write.js';
import { InMemoryEventStore } from '../store/in-memory-event-store.js';
import { throwIfAborted } from '../store/operation-signal.js';
import { prepareCommit, type PreparedCommit } from '../store/prepare-commit.js';
import { CommitOutcomeUnknownError, ConcurrencyError, EventStoreUnavailableError } from '../store/store-errors.js';
import type { StoredEvent } from '../store/stored-event.js';
import { assertItemValues } from './item-values.js';

/** A commit that was stored, with its events as readers get them. */
export interface RecordedCommit {
  readonly commitId: string;
  readonly events: readonly RecordedEvent[];
}

export interface FaultOptions {
  /** How many commits it meets, one after the other; default 1. */
  readonly times?: number;
}

/** Stores a commit, or not, and ends it with an error. */
type Fault = (commit: PreparedCommit, store: () => Promise<CommitResult>) => Promise<never>;

/**
 * The in-memory store, for tests: it records the commits, takes history that is not recorded, and fails on demand in
 * each way in which a commit can fail. Faults wait in line, and each meets one commit; a commit that is refused before
 * anything would be sent, or has no events, leaves them where they are.
 */
export class EventStoreDouble extends InMemoryEventStore {
  private readonly recorded: RecordedCommit[] = [];
  private readonly joined: JoinedWrite[] = [];
  /** Commits of history, which inline projections have written long ago. */
  private readonly seeds = new Set<string>();
  private readonly faults: Fault[] = [];
  private stored = 0;

  constructor(
    private readonly events: EventRegistry,
    tenants?: TenantOptions,
  ) {
    super(events, tenants);
  }

  /** The commits stored so far, oldest first, without what `seed` stored. */
  get commits(): readonly RecordedCommit[] {
    return this.recorded;
  }

  /** What inline projections have stored with commits, in order. There are no tables, so that conditions always hold. */
  get inlineWrites(): readonly JoinedWrite[] {
    return this.joined;
  }

  /** How many events there are, with what `seed` stored. */
  get eventCount(): number {
    return this.stored;
  }

  /** Puts events at the end of a stream, as history that the test starts from. */
  async seed(stream: StreamId, events: readonly object[]): Promise<void> {
    for (let start = 0; start < events.length; start += COMMIT_LIMITS.events) {
      const some = events.slice(start, start + COMMIT_LIMITS.events);
      const commitId = randomUUID();
      this.seeds.add(commitId);
      await super.commit({ appends: [{ stream, events: some, expectedVersion: ANY_VERSION }], commitId });
      this.stored += some.length;
    }
  }

  /** Lets the next commit lose its race, as if another had come first: `ConcurrencyError`, and nothing is stored. */
  raiseConflict(options?: FaultOptions): void {
    this.raise(options, async ({ appends }) => {
      const { stream, expectedVersion } =
        appends.find((append) => append.expectedVersion !== ANY_VERSION) ?? appends[0]!;
      throw new ConcurrencyError(stream, expectedVersion, (await this.versionOf(stream)) + 1);
    });
  }

  /** Lets the next commit find no database: `EventStoreUnavailableError`, and nothing is stored. */
  raiseUnavailable(options?: FaultOptions): void {
    this.raise(options, async () => {
      throw new EventStoreUnavailableError('The test double of the event store was told to be unavailable.');
    });
  }

  /**
   * Lets the response to the next commit be lost for good: `CommitOutcomeUnknownError`. Whether its events are stored is
   * for the test to say; `outcomeOf` tells.
   */
  raiseOutcomeUnknown({ stored, ...options }: FaultOptions & { readonly stored: boolean }): void {
    this.raise(options, async ({ commitId, appends, idempotency }, store) => {
      const places: { stream: StreamId; expectedVersion: number }[] = [];
      for (const { stream, expectedVersion } of appends) {
        const version = expectedVersion === ANY_VERSION ? await this.versionOf(stream) : expectedVersion;
        places.push({ stream, expectedVersion: version });
      }
      if (stored) await store();
      const references = places.map((place) => {
        const first = stored ? this.storedEvents(place.stream)[place.expectedVersion] : undefined;
        return { ...place, eventId: first?.eventId ?? randomUUID() };
      });
      const key = idempotency && keyOf(idempotency);
      throw new CommitOutcomeUnknownError(
        commitId,
        references,
        'the test double was told to lose the response',
        new Date(),
        key,
      );
    });
  }

  override async commit(commit: Commit, options: OperationOptions = {}): Promise<CommitResult> {
    throwIfAborted(options.signal);
    const prepared = prepareCommit(this.scopedCommit(commit), this.events);
    const { appends, commitId, idempotency } = prepared;
    const copy = {
      appends,
      commitId,
      ...(idempotency && { idempotency }),
      ...(commit.unique && { unique: commit.unique }),
    };
    const store = () => this.storeAndRecord(copy, options);
    const fault = prepared.appends.length > 0 ? this.faults.shift() : undefined;
    return fault ? fault(prepared, store) : store();
  }

  protected override async joinedWrites(events: readonly StoredEvent[]): Promise<readonly JoinedWrite[]> {
    return super.joinedWrites(events.filter(({ commitId }) => !this.seeds.has(commitId)));
  }

  protected override takeJoined(writes: readonly JoinedWrite[], own: number): void {
    assertWriteCount(own + writes.length);
    for (const { write } of writes) assertItemValues(write);
    // Copies, as the projection may go on with what it handed over.
    this.joined.push(...writes.map((each) => copyInstance(each)));
  }

  private async storeAndRecord(commit: Commit, options: OperationOptions): Promise<CommitResult> {
    const result = await super.commit(commit, options);
    for (const { events: stored } of commit.appends) this.stored += stored.length;
    const events: RecordedEvent[] = [];
    // At once, so that commits side by side stand in the order in which they were stored.
    if (result.appended.length > 0) this.recorded.push({ commitId: result.commitId, events });
    for (const [index, { stream, version }] of result.appended.entries()) {
      // Read again, as the instances themselves stay in the hands of the application.
      const fromVersion = version - commit.appends[index]!.events.length + 1;
      for await (const recorded of this.read(stream, { fromVersion, toVersion: version })) events.push(recorded);
    }
    return result;
  }

  private raise({ times = 1 }: FaultOptions = {}, fault: Fault): void {
    if (!Number.isSafeInteger(times) || times < 1) throw new RangeError('times must be a whole number from 1.');
    for (let time = 0; time < times; time++) this.faults.push(fault);
  }

  private async versionOf(stream: StreamId): Promise<number> {
    for await (const { version } of this.readVersions(stream, { direction: 'backward', limit: 1 })) return version;
    return 0;
  }
}
