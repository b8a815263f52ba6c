import type { Class } from '../event/class-type.js';
import type { EventMetadata } from '../event/event-metadata.js';
import type { AggregateRoot } from '../aggregate/aggregate-root.js';

export interface RecordedOptions {
  readonly tenantId?: string;
  /** Of each of the events. */
  readonly metadata?: Partial<EventMetadata>;
  /** When the first of the events was stored; the others follow by a millisecond each. Default: now. */
  readonly at?: Date;
}

/** Events of one aggregate, as `givenProjection` takes them. */
export interface RecordedHistory {
  /** The class or the durable name of the aggregate. */
  readonly aggregate: Class<AggregateRoot> | string;
  readonly id: string;
  readonly events: readonly object[];
  readonly options: RecordedOptions;
}

/**
 * Events of an aggregate that were stored. Their versions count from 1, or go on where the same aggregate stands before
 * in the test, so that events of several aggregates can be mixed.
 *
 * @param aggregate the class, or the durable name where the class belongs to another service
 * @example recorded(Account, 'a-1', [new AccountOpened('Ada')], { tenantId: 't-1', at: new Date('2026-01-31') })
 */
export function recorded(
  aggregate: Class<AggregateRoot> | string,
  id: string,
  events: readonly object[],
  options: RecordedOptions = {},
): RecordedHistory {
  if (options.at !== undefined && !(options.at.getTime() >= 0)) {
    throw new RangeError('at must be a Date, from 1970 on.');
  }
  return { aggregate, id, events, options };
}
