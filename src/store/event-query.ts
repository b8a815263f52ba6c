import { InvalidStreamIdError } from '../event/event-errors.js';
import type { RecordedEvent } from '../event/recorded-event.js';
import { keyPart, MAX_KEY_BYTES, tenantKey, userKey, type StreamId } from '../event/stream-id.js';
import { wholeNumber } from './whole-number.js';

/** All events of an aggregate type, or all that a user caused, of one tenant. */
export type QueryBy =
  | {
      readonly aggregateType: string;
      /** Durable names: only events of these types, also those that are stored under another name of the same class. */
      readonly eventTypes?: readonly string[];
      /** Default: the tenant of the running `CommandContext`; without one, only streams without a tenant. */
      readonly tenantId?: string;
      readonly userId?: never;
    }
  | {
      readonly userId: string;
      readonly tenantId?: string;
      readonly aggregateType?: never;
      readonly eventTypes?: never;
    };

/** Which part of a query's events, and in which order. */
export interface QueryRange {
  /** Events stored at this time or later. */
  readonly from?: Date;
  /** Events stored at this time or earlier. */
  readonly to?: Date;
  /** At most so many events, rounded up to a whole version where upcasting splits one; default all. */
  readonly limit?: number;
  /** Default `forward`: oldest first. */
  readonly direction?: 'forward' | 'backward';
  /** The last event of the page before: goes on right behind it, in this direction. */
  readonly after?: QueryPosition;
  /** Ends the query with `OperationAbortedError`. */
  readonly signal?: AbortSignal;
}

/** Any `RecordedEvent` is one, also when it went through JSON. */
export type QueryPosition = Pick<RecordedEvent, 'stream' | 'version'> & { readonly eventTime: Date | string };

/** A query as a store answers it: checked, and with its defaults filled in. */
export interface EventQuery {
  readonly tenantId: string | undefined;
  readonly by: { readonly aggregateType: string } | { readonly userId: string };
  readonly eventTypes: readonly string[] | undefined;
  /** Milliseconds since 1970, inclusive like `to`. */
  readonly from: number;
  readonly to: number;
  readonly forward: boolean;
  /** As many events are wanted; whoever asked stops when it has them. */
  readonly limit: number;
  readonly after: EventPosition | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The place of an event in the order of a query. */
export interface EventPosition {
  readonly stream: StreamId;
  readonly version: number;
  readonly eventTime: number;
}

/** The last millisecond that ISO 8601 writes with a year of four digits, as keys have it; the first event is after 1970. */
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * @throws RangeError when a time, the limit or the position is none
 * @throws InvalidStreamIdError when type, user or tenant cannot be a key
 */
export function eventQuery(by: QueryBy, tenantId: string | undefined, range: QueryRange): EventQuery {
  const { from, to, limit, direction, after, signal } = range;
  const query = {
    tenantId,
    by: checked(by, tenantId),
    eventTypes: by.eventTypes && [...by.eventTypes],
    from: from === undefined ? 0 : Math.max(0, milliseconds('from', from)),
    to: to === undefined ? LAST_TIME : Math.min(LAST_TIME, milliseconds('to', to)),
    forward: direction !== 'backward',
    limit: wholeNumber('limit', limit) ?? Infinity,
    signal,
  };
  return { ...query, after: after && position(after, query) };
}

function checked(by: QueryBy, tenantId: string | undefined): EventQuery['by'] {
  const { aggregateType, userId } = by;
  if ((aggregateType === undefined) === (userId === undefined)) {
    throw new TypeError('query takes either an aggregateType or a userId.');
  }
  if (userId === undefined) {
    assertFits('aggregateType', `${tenantKey(tenantId)}#${keyPart('aggregateType', aggregateType)}#0`);
    return { aggregateType };
  }
  keyPart('userId', userId);
  assertFits('userId', userKey(tenantId, userId));
  return { userId };
}

/** No event can have been stored under a longer key, and what DynamoDB answers to one explains nothing. */
function assertFits(name: string, key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_KEY_BYTES) {
    throw new InvalidStreamIdError(`${name} makes a key of ${bytes} bytes, and DynamoDB takes ${MAX_KEY_BYTES}.`);
  }
}

function position(
  { stream, version, eventTime }: QueryPosition,
  { by, tenantId }: Pick<EventQuery, 'by' | 'tenantId'>,
): EventPosition {
  const sameType = !('aggregateType' in by) || stream.aggregateType === by.aggregateType;
  if (!sameType || stream.tenantId !== tenantId) throw new RangeError('after must be an event of the same query.');
  if (!(wholeNumber('after.version', version)! >= 1)) throw new RangeError('after.version must be a version.');
  return { stream: { ...stream }, version, eventTime: milliseconds('after.eventTime', eventTime) };
}

function milliseconds(name: string, time: Date | string): number {
  const value = new Date(time).getTime();
  if (Number.isNaN(value)) throw new RangeError(`${name} must be a valid date.`);
  return value;
}
