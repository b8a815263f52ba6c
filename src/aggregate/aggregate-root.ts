import { AggregateRoot as CqrsAggregateRoot } from '@nestjs/cqrs';
import type { Class } from '../event/class-type.js';
import { CommandContext } from '../event/command-context.js';
import { classOf, eventTypeOf } from '../event/event-type.js';
import { validateEvent } from '../event/event-validation.js';
import { copyInstance } from '../event/plain-copy.js';
import { aggregateDefinitionOf, appliersOf } from './aggregate-definition.js';
import { AggregateUnusableError, MissingApplierError } from './aggregate-errors.js';
import { beginLifecycle, lifecycleOf, type Lifecycle, type UncommittedUnique } from './aggregate-lifecycle.js';

const FINISHED = 'the command that it belongs to has finished; load it again in another';
const SAVING = 'it is being saved; await that first';

/** An aggregate that takes and gives its state itself, where its own fields are not the whole of it. */
export interface Snapshotting<S extends object = object> {
  toSnapshot(): S;
  /** Called on a new instance; afterwards its state must be what `toSnapshot` saw. */
  fromSnapshot(state: S): void;
}

/**
 * Base of all aggregates: decide in its methods, `apply` events, and change state in `@On` methods only, as those
 * are all that runs when it is loaded. Its constructor takes the id and must need nothing else.
 */
export abstract class AggregateRoot extends CqrsAggregateRoot<object> {
  readonly id: string;

  constructor(id: string) {
    super();
    this.id = id;
    beginLifecycle(this);
  }

  /** How many events of it are stored; 0 when it is new. Uncommitted events do not count. */
  get version(): number {
    return lifecycleOf(this).version;
  }

  /**
   * Checks an event by its class-validator rules, runs its applier, and queues it to be stored when the command finishes.
   * An instance that was queued before, such as one for two aggregates, is queued as a copy: each stored event is its own.
   *
   * @throws InvalidEventError by the rules of its class, before the applier runs
   * @throws MissingApplierError when there is no `@On` method for its class
   * @throws AggregateUnusableError after an applier threw, on a read-only aggregate, and when its command has finished
   */
  override apply(
    event: object,
    historyOrOptions: boolean | { fromHistory?: boolean; skipHandler?: boolean } = {},
  ): void {
    const options = typeof historyOrOptions === 'boolean' ? { fromHistory: historyOrOptions } : historyOrOptions;
    const lifecycle = this.usable();
    if (!options.fromHistory) validateEvent(event);
    if (!options.skipHandler) {
      const { replaying } = lifecycle;
      lifecycle.replaying = options.fromHistory ?? false;
      this.runApplier(event);
      lifecycle.replaying = replaying;
    }
    if (!options.fromHistory) lifecycle.uncommitted.push({ event: queued(event), context: CommandContext.current() });
  }

  /**
   * Takes a value that only one aggregate of a tenant may have, such as an e-mail address, when this aggregate's events
   * are stored; `UniqueConstraintError` comes then when another aggregate holds it. Taking again what it has is fine.
   * While stored events are applied, nothing happens, so it may stand in an applier.
   *
   * @param constraint what the value is, such as `email`; values of different names have nothing to do with each other
   * @param value compared exactly: bring it into one form before, such as lower case
   */
  reserve(constraint: string, value: string): void {
    this.changeUnique({ action: 'reserve', constraint, value });
  }

  /** Gives a value free, when this aggregate's events are stored. Another may take it in the same command. */
  release(constraint: string, value: string): void {
    this.changeUnique({ action: 'release', constraint, value });
  }

  /** The events applied and not stored yet, in their order; a copy. */
  override getUncommittedEvents(): object[] {
    return lifecycleOf(this).uncommitted.map(({ event }) => event);
  }

  /** Forgets the events, and changes of unique values, that are not stored yet. The state that they led to stays. */
  override uncommit(): void {
    lifecycleOf(this).uncommitted = [];
    lifecycleOf(this).unique = [];
  }

  /** Not needed: events are stored when the command finishes. */
  override commit(): never {
    throw new AggregateUnusableError(
      `Remove commit() of ${this.constructor.name}: its events are stored when the command finishes. Outside a command use repository.save(aggregate).`,
    );
  }

  /** Applies events without queueing them; each raises the version. */
  override loadFromHistory(history: object[]): void {
    for (const event of history) {
      this.apply(event, true);
      lifecycleOf(this).version++;
    }
  }

  private changeUnique(change: UncommittedUnique): void {
    const lifecycle = this.usable();
    if (!lifecycle.replaying) lifecycle.unique.push(change);
  }

  private usable(): Lifecycle {
    const lifecycle = lifecycleOf(this);
    const refusal = lifecycle.refusal ?? (lifecycle.saves > 0 ? SAVING : lifecycle.finished ? FINISHED : undefined);
    if (refusal === undefined) return lifecycle;
    throw new AggregateUnusableError(`${this.constructor.name} "${this.id}" takes no more events: ${refusal}.`);
  }

  private runApplier(event: object): void {
    const applier = this.applierFor(classOf(event));
    if (!applier) return;
    try {
      // A copy, as when it is loaded: state that shares data with the event would change it before it is stored.
      const result = applier.call(this, copyInstance(event)) as unknown;
      if (result instanceof Promise) {
        result.catch(() => {});
        throw new AggregateUnusableError(
          `The applier of ${this.constructor.name} for ${classOf(event).name} is asynchronous: appliers only change fields, so make it synchronous.`,
        );
      }
    } catch (error) {
      const lifecycle = lifecycleOf(this);
      lifecycle.halfApplied = true;
      lifecycle.refusal = `its applier for ${classOf(event).name} threw, so its state may be half changed; load it again`;
      throw error;
    }
  }

  private applierFor(eventClass: Class): ((event: object) => unknown) | undefined {
    const aggregateClass = classOf(this);
    const appliers = appliersOf(aggregateClass);
    const own = appliers.get(eventClass);
    if (own === undefined && aggregateDefinitionOf(aggregateClass)?.ignores.includes(eventClass)) return undefined;
    const byName = `on${eventClass.name}`;
    // A method that another event claims with @On is not meant by this one's name.
    const method = own ?? ([...appliers.values()].includes(byName) ? undefined : byName);
    const applier = method === undefined ? undefined : (Reflect.get(this, method) as unknown);
    if (typeof applier === 'function') return applier as (event: object) => unknown;
    throw new MissingApplierError(aggregateClass.name, eventClass.name, eventTypeOf(eventClass) !== undefined);
  }
}

const queuedBefore = new WeakSet<object>();

/** What `recordedEventOf` tells is told of an instance, so no two stored events may share one. */
function queued(event: object): object {
  const own = queuedBefore.has(event) ? copyInstance(event) : event;
  queuedBefore.add(own);
  return own;
}
