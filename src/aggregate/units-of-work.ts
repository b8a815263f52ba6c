import { AsyncLocalStorage } from 'node:async_hooks';
import { CommandContext, metadataOf } from '../event/command-context.js';
import type { EventRegistry } from '../event/event-registry.js';
import { recordedEventOf } from '../event/recorded-event.js';
import { streamKey, type StreamId } from '../event/stream-id.js';
import type { StreamAppend } from '../store/commit.js';
import type { EventStore } from '../store/event-store.js';
import type { IdempotencyRecord } from '../store/idempotency.js';
import { UnitOfWorkClosedError } from './aggregate-errors.js';
import { lifecycleOf } from './aggregate-lifecycle.js';
import type { AggregateRoot } from './aggregate-root.js';
import { isSnapshotDue, stateOf } from './aggregate-snapshot.js';
import type { SnapshotWriter } from './snapshot-writer.js';
import type { TrackedAggregate, UnitOfWork } from './unit-of-work.js';

/** Which unit of work the running code is in, and how one is committed. One for each application. */
export class UnitsOfWork {
  private readonly running = new AsyncLocalStorage<UnitOfWork | undefined>();

  constructor(
    private readonly store: EventStore,
    private readonly registry: EventRegistry,
    private readonly snapshots: SnapshotWriter,
  ) {}

  /** The unit that the running code belongs to, `undefined` outside a command and after its end. */
  current(): UnitOfWork | undefined {
    const unit = this.running.getStore();
    return unit?.isOpen ? unit : undefined;
  }

  /**
   * Refuses work that a command left behind without awaiting it: nobody would store what it changes.
   *
   * @throws UnitOfWorkClosedError
   */
  assertNotLeftBehind(): void {
    if (this.running.getStore()?.isOpen === false) {
      throw new UnitOfWorkClosedError(
        'The command has finished: await all of its work before its handler returns, or send another command for it.',
      );
    }
  }

  run<T>(unit: UnitOfWork, work: () => T): T {
    return this.running.run(unit, work);
  }

  /**
   * Commits all events of all aggregates of a unit, and hands them on.
   *
   * @param idempotency stored along with them, also where there are none
   * @throws ConcurrencyError and whatever else `EventStore.commit` throws; nothing is stored then
   */
  async commit(unit: UnitOfWork, idempotency?: IdempotencyRecord): Promise<void> {
    // 1. Nested commands still at work belong to this commit.
    await unit.settleNested();
    // 2. From here on, no event can be added.
    unit.close();
    const changed = unit.changed();
    if (changed.length === 0 && !idempotency) return;
    const events = changed.map(({ aggregate }) => aggregate.getUncommittedEvents());
    const unique = changed.flatMap(({ aggregate, stream }) =>
      lifecycleOf(aggregate).unique.map((change) => ({ ...change, stream })),
    );
    // 3. All events are stored together, or none.
    const appends = changed.map((entry, index) => this.appendOf(entry, events[index]!));
    const commit = { appends, ...(unique.length > 0 && { unique }), ...(idempotency && { idempotency }) };
    await asTheyAre(() => this.store.commit(commit));
    // 4. The aggregates are at their new versions.
    changed.forEach(({ aggregate, stream }, index) => markStored(aggregate, stream, events[index]!));
    // 5. Snapshots are taken of them as they are now.
    await Promise.all(changed.map((entry, index) => this.snapshotIfDue(entry, events[index]!)));
    // 6. The events go out, to handlers that are in no unit of work.
    this.running.run(undefined, () => unit.publish(events.flat()));
  }

  /** No command is to come any more. Node keeps looking after a storage that nobody uses, at each step of every promise. */
  end(): void {
    this.running.disable();
  }

  private appendOf({ aggregate, stream, definition }: TrackedAggregate, events: readonly object[]): StreamAppend {
    const { version, eventTime, uncommitted } = lifecycleOf(aggregate);
    // A nested command may have another user than the outer one, or none: nothing of one context goes into another's
    // events. What was applied outside of any has that of who saves it.
    const current = CommandContext.current();
    const metadata = uncommitted.map(({ context }) => metadataOf(Object.keys(context).length > 0 ? context : current));
    const state =
      definition.snapshot === 'inline'
        ? this.snapshots.take(stream, () => stateOf(aggregate, definition, this.registry.codec))
        : undefined;
    return {
      stream,
      events,
      expectedVersion: version,
      metadata,
      ...(isVersionOf(aggregate, stream) && { loadedHead: { version, eventTime } }),
      ...(state && { state }),
    };
  }

  private async snapshotIfDue(
    { aggregate, stream, definition }: TrackedAggregate,
    events: readonly object[],
  ): Promise<void> {
    const snapshot = this.snapshots.take(stream, () => {
      if (!isSnapshotDue(definition, aggregate, events)) return undefined;
      const { version, eventTime } = lifecycleOf(aggregate);
      return { version, eventTime, ...stateOf(aggregate, definition, this.registry.codec) };
    });
    if (!snapshot) return;
    lifecycleOf(aggregate).snapshotAt = snapshot.version;
    await asTheyAre(() => this.snapshots.write(stream, snapshot));
  }
}

/** The streams of aggregates have got the tenant of their load, or none, and are not to get that of the running command. */
function asTheyAre<T>(run: () => T): T {
  return CommandContext.run({ tenantId: undefined }, run);
}

/** Whether a store has shown that the stream is there at this version; history given by hand proves nothing. */
function isVersionOf(aggregate: AggregateRoot, stream: StreamId): boolean {
  const lifecycle = lifecycleOf(aggregate);
  return lifecycle.version === 0 || lifecycle.streamKey === streamKey(stream);
}

function markStored(aggregate: AggregateRoot, stream: StreamId, events: readonly object[]): void {
  const lifecycle = lifecycleOf(aggregate);
  lifecycle.streamKey = streamKey(stream);
  lifecycle.version += events.length;
  lifecycle.eventTime = recordedEventOf(events.at(-1)!).eventTime.getTime();
  aggregate.uncommit();
}
