import type { CommandContextValues } from '../event/command-context.js';

/** An event that is applied and not stored, with the context that it was applied in. */
export interface UncommittedEvent {
  readonly event: object;
  readonly context: CommandContextValues;
}

/** A unique value that an aggregate takes or gives free when its events are stored. */
export interface UncommittedUnique {
  readonly action: 'reserve' | 'release';
  readonly constraint: string;
  readonly value: string;
}

/**
 * What the repository and the unit of work know of an aggregate. Kept beside the object and not in it, so that its
 * own fields are nothing but its state.
 */
export interface Lifecycle {
  /** Version of the last stored event; 0 when there is none. */
  version: number;
  /** Time of the last stored event, in milliseconds since 1970. */
  eventTime: number;
  /** Version of the newest snapshot known of; 0 when there is none. */
  snapshotAt: number;
  uncommitted: UncommittedEvent[];
  unique: UncommittedUnique[];
  /** Whether an event that is stored already is being applied. */
  replaying: boolean;
  /** Key of the stream that its version is of; undefined while it has none from a store. */
  streamKey: string | undefined;
  /** Why no further event may ever be applied; undefined while it may. */
  refusal: string | undefined;
  /** The command that it belongs to has finished, so nobody would store its events. */
  finished: boolean;
  /** How many saves of it are under way outside of commands. */
  saves: number;
  /** An applier threw: the state may be half changed, and none of its events may be stored. */
  halfApplied: boolean;
}

const lifecycles = new WeakMap<object, Lifecycle>();

export function beginLifecycle(aggregate: object): void {
  lifecycles.set(aggregate, {
    version: 0,
    eventTime: 0,
    snapshotAt: 0,
    uncommitted: [],
    unique: [],
    replaying: false,
    streamKey: undefined,
    refusal: undefined,
    finished: false,
    saves: 0,
    halfApplied: false,
  });
}

export function lifecycleOf(aggregate: object): Lifecycle {
  const lifecycle = lifecycles.get(aggregate);
  if (!lifecycle)
    throw new TypeError(`${aggregate.constructor.name} is not an AggregateRoot of nestjs-dynamodb-event-store.`);
  return lifecycle;
}
