import { AggregateRegistry } from '../aggregate/aggregate-registry.js';
import { lifecycleOf } from '../aggregate/aggregate-lifecycle.js';
import { AggregateRoot } from '../aggregate/aggregate-root.js';
import { UnitOfWork, type TrackedAggregate } from '../aggregate/unit-of-work.js';
import type { Class } from '../event/class-type.js';
import { storedBytes } from '../event/compression.js';
import { EventRegistry, type EncodedEvent } from '../event/event-registry.js';
import { classOf } from '../event/event-type.js';
import { streamKey, type StreamId } from '../event/stream-id.js';
import type { ValueType } from '../event/value-type.js';
import { assertEventSizes } from '../store/commit-limits.js';
import { prepareCommit } from '../store/prepare-commit.js';
import { ConcurrencyError } from '../store/store-errors.js';
import { Outcome, type Decision } from './outcome.js';
import { isThenable } from './thenable.js';

export interface GivenOptions {
  /** As in the options of EventStoreModule. */
  // oxlint-disable-next-line typescript/no-explicit-any -- each entry is typed by its own class
  readonly valueTypes?: readonly ValueType<any>[];
}

/**
 * An aggregate with its history, in memory and without Nest. Events go in and out as they would through a store, so
 * that a test fails where the application would: an event that cannot be stored, or breaks its class-validator rules,
 * is an error of the decision, and so is a unique value that is no text, or is changed without an event. What other
 * aggregates hold is not known here. History is not held to the rules, as what was stored long ago may be older than they
 * are.
 *
 * @example given(Account, 'a-1', [new AccountOpened('Ada')]).when((a) => a.deposit(5)).then([new MoneyDeposited(5)]);
 * @throws AggregateRegistrationError, EventRegistrationError, InvalidStreamIdError, UnserializableEventError
 */
export function given<T extends AggregateRoot>(
  aggregateClass: Class<T>,
  id: string,
  history: readonly object[] = [],
  options: GivenOptions = {},
): Given<T> {
  return new Given(aggregateClass, id, history, options);
}

/** Each `when` starts from the same history again, on an aggregate of its own. */
export class Given<T extends AggregateRoot> {
  private readonly registry: EventRegistry;
  private readonly aggregates: AggregateRegistry;
  private readonly stream: StreamId;
  private readonly stored: readonly EncodedEvent[];

  constructor(
    private readonly aggregateClass: Class<T>,
    id: string,
    history: readonly object[],
    { valueTypes = [] }: GivenOptions,
  ) {
    this.registry = new EventRegistry({ valueTypes });
    this.aggregates = new AggregateRegistry(this.registry);
    this.stream = { aggregateType: this.aggregates.register(aggregateClass).name, aggregateId: id };
    streamKey(this.stream);
    this.stored = history.map((event) => this.registry.encode(event));
  }

  /**
   * Lets the aggregate decide. Without history it is new; a new one that the callback returns counts as well, as if a
   * handler had added it. The callback may be asynchronous: then await what follows.
   */
  when(decide: (aggregate: T) => unknown): Outcome<T> {
    // Before the first event is applied, as in an application: an applier never sees what breaks the rules.
    this.registry.prepareValidationSync();
    const aggregate = this.load(this.aggregateClass, this.stream.aggregateId, this.stored);
    let returned: unknown;
    try {
      returned = decide(aggregate);
    } catch (error) {
      return new Outcome(this.failed(error));
    }
    if (!isThenable(returned)) return new Outcome(this.decided(aggregate, returned));
    return new Outcome(
      Promise.resolve(returned).then(
        (value) => this.decided(aggregate, value),
        (error: unknown) => this.failed(error),
      ),
    );
  }

  /** What the command would have stored, or the error that it would have ended with. */
  private decided(aggregate: T, returned: unknown): Decision<T> {
    try {
      const encoded = this.commit(aggregate, returned);
      const events = [...encoded.values()].flat().flatMap((event) => this.registry.decode(event));
      const subject = returned instanceof this.aggregateClass ? returned : aggregate;
      const isGiven = subject.id === this.stream.aggregateId && classOf(subject) === this.aggregateClass;
      const history = [...(isGiven ? this.stored : []), ...(encoded.get(subject) ?? [])];
      return { events, next: () => this.load(classOf(subject) as Class<T>, subject.id, history) };
    } catch (error) {
      return this.failed(error);
    }
  }

  private failed(error: unknown): Decision<T> {
    const next = () => this.load(this.aggregateClass, this.stream.aggregateId, this.stored);
    return { thrown: { error }, events: [], next };
  }

  /** Goes the way of a command to the store, up to where the database would come. */
  private commit(aggregate: T, returned: unknown): ReadonlyMap<AggregateRoot, readonly EncodedEvent[]> {
    const unit = new UnitOfWork(() => {});
    const touched = new Set([aggregate, ...(returned instanceof AggregateRoot ? [returned] : [])]);
    for (const each of touched) {
      const { uncommitted, unique } = lifecycleOf(each);
      if (uncommitted.length + unique.length === 0) continue;
      const entry = this.entry(each);
      unit.track(streamKey(entry.stream), entry);
    }
    unit.close();
    const changed = unit.changed();
    for (const { aggregate: each, stream } of changed) this.assertNextInStream(each, stream);
    // Again, as an aggregate of another class may have come with rules of its own.
    this.registry.prepareValidationSync();
    const appends = changed.map(({ aggregate: each, stream }) => {
      return { stream, events: each.getUncommittedEvents(), expectedVersion: each.version };
    });
    const unique = changed.flatMap(({ aggregate: each, stream }) =>
      lifecycleOf(each).unique.map((change) => ({ ...change, stream })),
    );
    const prepared = prepareCommit({ appends, unique }, this.registry).appends;
    assertEventSizes(
      prepared.flatMap(({ encoded }) =>
        encoded.map(({ eventType, eventData }) => ({ eventType, bytes: storedBytes(eventData) })),
      ),
    );
    return new Map(prepared.map(({ encoded }, index) => [changed[index]!.aggregate, encoded]));
  }

  private entry(aggregate: AggregateRoot): TrackedAggregate {
    const definition = this.aggregates.register(classOf(aggregate));
    return { aggregate, definition, stream: { aggregateType: definition.name, aggregateId: aggregate.id } };
  }

  private assertNextInStream({ version }: AggregateRoot, stream: StreamId): void {
    if (streamKey(stream) !== streamKey(this.stream) || version === this.stored.length) return;
    throw new ConcurrencyError(stream, version, this.stored.length);
  }

  private load<A extends AggregateRoot>(aggregateClass: Class<A>, id: string, stored: readonly EncodedEvent[]): A {
    const aggregate = new aggregateClass(id);
    aggregate.loadFromHistory(stored.flatMap((event) => this.registry.decode(event)));
    return aggregate;
  }
}
