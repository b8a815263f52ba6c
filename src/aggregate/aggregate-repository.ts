import type { Class } from '../event/class-type.js';
import type { EventRegistry } from '../event/event-registry.js';
import { CorruptStreamError } from '../event/event-errors.js';
import type { RecordedEvent, RecordedVersion } from '../event/recorded-event.js';
import { streamKey, streamName, type StreamId } from '../event/stream-id.js';
import type { EventStore, ReadRange } from '../store/event-store.js';
import { takesSnapshots, type AggregateDefinition } from './aggregate-definition.js';
import { AggregateNotFoundError, UnitOfWorkClosedError } from './aggregate-errors.js';
import { lifecycleOf } from './aggregate-lifecycle.js';
import type { AggregateRoot } from './aggregate-root.js';
import { restore, tailOf } from './aggregate-snapshot.js';
import { CommandContext } from '../event/command-context.js';
import { UnitOfWork, type PublishEvents, type TrackedAggregate } from './unit-of-work.js';
import type { UnitsOfWork } from './units-of-work.js';

/** A moment in an aggregate's past: right after a version, or as it was at a time. */
export type PastMoment = { readonly version: number } | { readonly time: Date };

export interface AggregateRepositoryParts {
  readonly store: EventStore;
  readonly registry: EventRegistry;
  readonly units: UnitsOfWork;
  readonly publish: PublishEvents;
}

/** Loads aggregates of one class. The tenant is that of the running `CommandContext`. */
export class AggregateRepository<T extends AggregateRoot> {
  private readonly store: EventStore;
  private readonly registry: EventRegistry;
  private readonly units: UnitsOfWork;
  private readonly publish: PublishEvents;

  constructor(
    private readonly aggregateClass: Class<T>,
    private readonly definition: AggregateDefinition,
    { store, registry, units, publish }: AggregateRepositoryParts,
  ) {
    this.store = store;
    this.registry = registry;
    this.units = units;
    this.publish = publish;
  }

  /**
   * The aggregate, from its snapshot and events. In a command, the same instance each time, and stored when the command
   * finishes. Outside a command, what is applied to it is stored by `save` only.
   *
   * @throws AggregateNotFoundError when it has no events
   */
  async load(id: string): Promise<T> {
    const aggregate = await this.find(id);
    if (!aggregate) throw new AggregateNotFoundError(this.streamOf(id));
    return aggregate;
  }

  /** Like `load`, with null when it has no events. */
  async find(id: string): Promise<T | null> {
    const stream = this.streamOf(id);
    const key = streamKey(stream);
    this.units.assertNotLeftBehind();
    const unit = this.units.current();
    if (!unit) return (await this.rebuild(stream)) ?? null;
    const loaded = await unit.load(key, async () => {
      const aggregate = await this.rebuild(stream);
      return aggregate && this.entry(aggregate, stream);
    });
    return (loaded as T | undefined) ?? null;
  }

  /** Whether it has events, or the running command has added it; one request, for one event. */
  async exists(id: string): Promise<boolean> {
    const stream = this.streamOf(id);
    if (this.units.current()?.has(streamKey(stream))) return true;
    for await (const _ of this.store.readVersions(stream, { direction: 'backward', limit: 1 })) return true;
    return false;
  }

  /**
   * Tracks a new aggregate in the running command, which stores it when it finishes.
   *
   * @throws UnitOfWorkClosedError when no command is running
   */
  add(aggregate: T): void {
    this.units.assertNotLeftBehind();
    const unit = this.units.current();
    if (!unit) {
      throw new UnitOfWorkClosedError(
        `No command is running that could store ${this.definition.name} "${aggregate.id}": call add inside a command handler, or use save.`,
      );
    }
    this.track(unit, aggregate);
  }

  /**
   * Stores the aggregate's events at once when no command is running; in a command, it is the same as `add`.
   *
   * @throws ConcurrencyError when another commit came first; load it again then
   */
  async save(aggregate: T): Promise<void> {
    this.units.assertNotLeftBehind();
    const running = this.units.current();
    if (running) return this.track(running, aggregate);
    const unit = new UnitOfWork(this.publish);
    this.track(unit, aggregate);
    const lifecycle = lifecycleOf(aggregate);
    lifecycle.saves++;
    try {
      await this.units.commit(unit);
    } finally {
      // It belongs to no command, so it may go on; not before each save of it knows what became of its events.
      lifecycle.saves--;
      lifecycle.finished = lifecycle.saves > 0;
    }
  }

  /**
   * The aggregate as it was, read only: by version, or with all events stored up to a time, that time included. A
   * version or time beyond its last event shows it as it is now.
   *
   * @throws AggregateNotFoundError when it did not exist then
   * @throws RangeError when the time is none
   */
  async loadAt(id: string, moment: PastMoment): Promise<T> {
    const stream = this.streamOf(id);
    const time = 'time' in moment ? new Date(moment.time).getTime() : Infinity;
    if (Number.isNaN(time)) throw new RangeError('The time of loadAt must be a valid date.');
    const aggregate = new this.aggregateClass(id);
    const until = 'version' in moment ? { toVersion: moment.version } : {};
    for await (const recorded of this.store.readVersions(stream, { ...until, deadlineFor: 'read' })) {
      if (recorded.eventTime.getTime() > time) break;
      replay(aggregate, stream, recorded);
    }
    if (aggregate.version === 0) throw new AggregateNotFoundError(stream);
    lifecycleOf(aggregate).refusal = 'it shows the past and is read only';
    return aggregate;
  }

  /** Its events, by default all and oldest first; one page in memory at a time. None when it does not exist. */
  history(id: string, range?: ReadRange): AsyncIterable<RecordedEvent> {
    return this.store.read(this.streamOf(id), range);
  }

  private async rebuild(stream: StreamId): Promise<T | undefined> {
    const { restored, events } = await this.start(stream);
    const aggregate = restored ?? new this.aggregateClass(stream.aggregateId);
    for await (const recorded of events) replay(aggregate, stream, recorded);
    lifecycleOf(aggregate).streamKey = streamKey(stream);
    return aggregate.version > 0 ? aggregate : undefined;
  }

  /** From the snapshot on, where there is a usable one; else from the first event. */
  private async start(stream: StreamId): Promise<{ restored?: T | undefined; events: AsyncIterable<RecordedVersion> }> {
    if (!takesSnapshots(this.definition)) return { events: this.store.readVersions(stream, { deadlineFor: 'read' }) };
    const { snapshot, events, allEvents } = await this.store.readSinceSnapshot(stream, tailOf(this.definition));
    if (!snapshot) return { events };
    const restored = restore(this.aggregateClass, stream.aggregateId, snapshot, this.definition, this.registry.codec);
    return restored ? { restored, events } : { events: allEvents };
  }

  private track(unit: UnitOfWork, aggregate: T): void {
    const stream = this.streamOf(aggregate.id);
    unit.track(streamKey(stream), this.entry(aggregate, stream));
  }

  private entry(aggregate: T, stream: StreamId): TrackedAggregate {
    return { aggregate, stream, definition: this.definition };
  }

  private streamOf(aggregateId: string): StreamId {
    const { tenantId } = CommandContext.current();
    return { ...(tenantId !== undefined && { tenantId }), aggregateType: this.definition.name, aggregateId };
  }
}

function replay(aggregate: AggregateRoot, stream: StreamId, { version, eventTime, events }: RecordedVersion): void {
  const lifecycle = lifecycleOf(aggregate);
  if (version !== lifecycle.version + 1) {
    throw new CorruptStreamError(`${streamName(stream)} has a hole before version ${version}.`);
  }
  for (const { event } of events) aggregate.apply(event, true);
  lifecycle.version = version;
  lifecycle.eventTime = eventTime.getTime();
}
