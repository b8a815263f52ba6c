import type { QueryCommandInput } from '@aws-sdk/lib-dynamodb';
import { streamKey, userKey } from '../event/stream-id.js';
import type { EventQuery } from '../store/event-query.js';
import { feedBounds, feedPlace, feedSlice, tenantSlice } from './index-keys.js';
import { FEED_INDEX, FEED_SLICES, TENANT_INDEX, USER_INDEX } from './table.js';

/** An IN takes so many operands (Amazon DynamoDB Developer Guide, "Comparison operator and function reference"). */
const MAX_OPERANDS = 100;

/** What one partition of an index is asked, and the same of all partitions of a query. */
interface PartitionQuery {
  readonly index: { readonly name: string; readonly partitionKey: string; readonly sortKey: string };
  readonly partition: string;
  /** Bounds of the sort key, both inclusive. */
  readonly low: string;
  readonly high: string;
  /** The event to go on behind, where it stands in this partition. */
  readonly startKey?: Readonly<Record<string, unknown>> | undefined;
  readonly filter?: Filter | undefined;
}

interface Filter {
  readonly expression: string;
  readonly values: Readonly<Record<string, string>>;
}

/**
 * The first request to each partition that holds events of the query: one of the user index, or each slice of an
 * aggregate type. None when nothing can be left behind `after`.
 *
 * @param names all names under which the wanted event types are stored; all types when there are none
 */
export function indexRequests(
  tableName: string,
  query: EventQuery,
  names: readonly string[] | undefined,
): readonly QueryCommandInput[] {
  if (names?.length === 0) return [];
  return partitionQueries(query, names)
    .filter(({ low, high }) => low <= high)
    .map(({ index, partition, low, high, startKey, filter }) => ({
      TableName: tableName,
      IndexName: index.name,
      KeyConditionExpression: `${index.partitionKey} = :partition AND ${index.sortKey} BETWEEN :low AND :high`,
      ...(filter && { FilterExpression: filter.expression }),
      ExpressionAttributeValues: { ':partition': partition, ':low': low, ':high': high, ...filter?.values },
      ScanIndexForward: query.forward,
      ...(startKey && { ExclusiveStartKey: startKey }),
    }));
}

function partitionQueries(query: EventQuery, names: readonly string[] | undefined): readonly PartitionQuery[] {
  const { by, tenantId, after } = query;
  const [from, to] = [iso(query.from), iso(query.to)];
  const place = after && { pk: streamKey(after.stream), sk: after.version, eventTime: iso(after.eventTime) };
  if ('userId' in by) {
    const partition = userKey(tenantId, by.userId);
    const range = behind({ low: from, high: to }, place?.eventTime, query.forward);
    const startKey = range.starts ? { userKey: partition, ...place } : undefined;
    return [{ index: USER_INDEX, partition, ...range, startKey }];
  }
  const { aggregateType } = by;
  const index = tenantId === undefined ? FEED_INDEX : TENANT_INDEX;
  const placeInFeed = place && feedPlace(place.pk, place.eventTime);
  const range = behind(feedBounds(from, to), placeInFeed?.feedPosition, query.forward);
  const filter = filterOf(tenantId, names);
  return Array.from({ length: FEED_SLICES }, (_, slice) => {
    const partition =
      tenantId === undefined ? feedSlice(aggregateType, slice) : tenantSlice(tenantId, aggregateType, slice);
    const startKey =
      range.starts && placeInFeed?.slice === slice
        ? { [index.partitionKey]: partition, feedPosition: placeInFeed.feedPosition, pk: place!.pk, sk: place!.sk }
        : undefined;
    return { index, partition, ...range, startKey, filter };
  });
}

/**
 * The bounds that are left behind a position, and whether reading starts there: DynamoDB refuses a start outside of
 * the bounds. Other events may have the same position, so it stays inside, and only the start key steps over one.
 */
function behind(
  { low, high }: { low: string; high: string },
  position: string | undefined,
  forward: boolean,
): { low: string; high: string; starts: boolean } {
  if (position === undefined) return { low, high, starts: false };
  if (forward) return { low: position > low ? position : low, high, starts: position >= low };
  return { low, high: position < high ? position : high, starts: position <= high };
}

/** The feed holds the streams of all tenants, those without one among them. */
function filterOf(tenantId: string | undefined, names: readonly string[] | undefined): Filter | undefined {
  const parts: string[] = tenantId === undefined ? ['attribute_not_exists(tenantId)'] : [];
  const placeholders = (names ?? []).map((_, index) => `:${index}`);
  const lists: string[] = [];
  for (let start = 0; start < placeholders.length; start += MAX_OPERANDS) {
    lists.push(`eventType IN (${placeholders.slice(start, start + MAX_OPERANDS).join(',')})`);
  }
  if (lists.length > 0) parts.push(`(${lists.join(' OR ')})`);
  if (parts.length === 0) return undefined;
  const values = Object.fromEntries(placeholders.map((placeholder, index) => [placeholder, names![index]!]));
  return { expression: parts.join(' AND '), values };
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
