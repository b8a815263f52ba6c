import { streamName, type StreamId } from '../event/stream-id.js';
import { InvalidCommitError } from '../store/store-errors.js';
import type { AggregateDefinition } from './aggregate-definition.js';
import { AggregateUnusableError, NestedCommandFailedError, UnitOfWorkClosedError } from './aggregate-errors.js';
import { lifecycleOf } from './aggregate-lifecycle.js';
import type { AggregateRoot } from './aggregate-root.js';

/** An aggregate that a command has loaded or added. */
export interface TrackedAggregate {
  readonly aggregate: AggregateRoot;
  readonly stream: StreamId;
  readonly definition: AggregateDefinition;
}

/** Receives the events of a commit after it is stored, in their order. */
export type PublishEvents = (events: readonly object[]) => void;

/**
 * All aggregates that one command touches, each once, and the nested commands that share them. It belongs to one
 * run of one command and is never used again.
 */
export class UnitOfWork {
  private readonly tracked = new Map<string, TrackedAggregate>();
  private readonly loading = new Map<string, Promise<TrackedAggregate | undefined>>();
  private readonly nested = new Set<Promise<unknown>>();
  private nestedFailure: NestedCommandFailedError | undefined;
  private closed = false;

  /** @param publish where its events go once they are stored */
  constructor(readonly publish: PublishEvents) {}

  get isOpen(): boolean {
    return !this.closed;
  }

  has(key: string): boolean {
    return this.tracked.has(key);
  }

  /** The aggregate of a stream, loaded at most once, also by loads side by side. */
  async load(key: string, load: () => Promise<TrackedAggregate | undefined>): Promise<AggregateRoot | undefined> {
    const known = this.tracked.get(key);
    if (known) return known.aggregate;
    let loading = this.loading.get(key);
    if (!loading) {
      loading = load().finally(() => this.loading.delete(key));
      this.loading.set(key, loading);
    }
    const loaded = await loading;
    if (loaded && !this.tracked.has(key)) this.track(key, loaded);
    return this.tracked.get(key)?.aggregate;
  }

  /** @throws InvalidCommitError when another instance stands for the same stream already */
  track(key: string, entry: TrackedAggregate): void {
    this.assertOpen();
    const { streamKey } = lifecycleOf(entry.aggregate);
    if (streamKey !== undefined && streamKey !== key) {
      throw new InvalidCommitError(
        `${streamName(entry.stream)} cannot be stored from an aggregate of another stream: was it loaded for another tenant, or by another repository?`,
      );
    }
    const known = this.tracked.get(key);
    if (known && known.aggregate !== entry.aggregate) {
      throw new InvalidCommitError(
        `The command has two instances of ${streamName(entry.stream)}: load it, or create and add it, and not both.`,
      );
    }
    this.tracked.set(key, entry);
  }

  /** Runs a nested command, which shares these aggregates; they are committed when the outer one finishes. */
  async join<T>(run: () => Promise<T> | T): Promise<T> {
    const before = this.uncommittedCount();
    const running = (async () => run())();
    this.nested.add(running);
    try {
      return await running;
    } catch (error) {
      if (this.uncommittedCount() !== before) this.nestedFailure ??= new NestedCommandFailedError(error);
      throw error;
    } finally {
      this.nested.delete(running);
    }
  }

  /** Waits for nested commands that the handler did not wait for: their events belong to this commit. */
  async settleNested(): Promise<void> {
    while (this.nested.size > 0) await Promise.allSettled(this.nested);
  }

  /**
   * Ends the unit: nothing can be added any more, and its aggregates take no more events, as nobody would store them.
   */
  close(): void {
    this.closed = true;
    for (const { aggregate } of this.tracked.values()) {
      lifecycleOf(aggregate).finished = true;
    }
  }

  /**
   * The aggregates with events to store.
   *
   * @throws NestedCommandFailedError when a nested command left events behind that must not be stored
   * @throws AggregateUnusableError when an applier threw and the handler went on
   * @throws InvalidCommitError when a unique value was changed without an event
   */
  changed(): readonly TrackedAggregate[] {
    if (this.nestedFailure) throw this.nestedFailure;
    const changed = [...this.tracked.values()].filter(({ aggregate }) => changesOf(aggregate) > 0);
    for (const { aggregate, stream } of changed) {
      const { halfApplied, refusal, uncommitted } = lifecycleOf(aggregate);
      if (halfApplied) throw new AggregateUnusableError(`${streamName(stream)} is not stored: ${refusal}.`);
      if (uncommitted.length === 0) {
        throw new InvalidCommitError(
          `${streamName(stream)} reserves or releases a unique value without an event: apply one that says so.`,
        );
      }
    }
    return changed;
  }

  private uncommittedCount(): number {
    let count = 0;
    for (const { aggregate } of this.tracked.values()) count += changesOf(aggregate);
    return count;
  }

  private assertOpen(): void {
    if (this.isOpen) return;
    throw new UnitOfWorkClosedError('The command has finished: await all of its work before the handler returns.');
  }
}

function changesOf(aggregate: AggregateRoot): number {
  const { uncommitted, unique } = lifecycleOf(aggregate);
  return uncommitted.length + unique.length;
}
