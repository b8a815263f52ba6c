import type { QueryCommandInput } from '@aws-sdk/lib-dynamodb';
import { CorruptStreamError } from '../event/event-errors.js';
import { streamName } from '../event/stream-id.js';
import type { EventQuery } from '../store/event-query.js';
import type { StoredEvent } from '../store/stored-event.js';
import { Deadline } from './deadline.js';
import { indexRequests } from './index-request.js';
import { storedEventFrom, type Item } from './items.js';
import type { Sender } from './sender.js';

/** A filter leaves events out after they were counted, so that a page of few might hold none. */
const LEAST_FILTERED_PAGE = 100;

/** Where a page did not bring what was wanted, the next one is so many times as large. */
const PAGE_GROWTH = 4;

/** A page that may hold so many events ends by its size, 1 MB, anyway. */
const UNLIMITED_PAGE = 10_000;

/** Reads events over many streams, by the indexes. */
export class IndexReader {
  constructor(
    private readonly sender: Sender,
    private readonly tableName: string,
    private readonly deadlineMs: number,
  ) {}

  /**
   * Merges the partitions of the index. Each has one page in memory, and is asked for its next one only when that is
   * used up: until then nobody can know which of them goes on.
   */
  async *read(query: EventQuery, names: readonly string[] | undefined): AsyncGenerator<StoredEvent, void> {
    const fetch = (input: QueryCommandInput) => this.sender.query(input, Deadline.after(this.deadlineMs, query.signal));
    const pagers = indexRequests(this.tableName, query, names).map((request) => new Pager(request, query.limit, fetch));
    for (;;) {
      const usedUp = pagers.filter((pager) => pager.isUsedUp);
      if (usedUp.length > 0) await Promise.all(usedUp.map((pager) => pager.fill()));
      const next = first(pagers, query.forward);
      if (!next) return;
      yield belonging(next.take(), query);
    }
  }
}

/** One partition of an index, page by page. */
class Pager {
  private page: readonly Item[] = [];
  private used = 0;
  private pages = 0;

  constructor(
    private request: QueryCommandInput | undefined,
    private readonly limit: number,
    private readonly fetch: (input: QueryCommandInput) => ReturnType<Sender['query']>,
  ) {}

  get next(): Item | undefined {
    return this.page[this.used];
  }

  /** Whether its page is, while there may be more events behind it. */
  get isUsedUp(): boolean {
    return this.next === undefined && this.request !== undefined;
  }

  /** Fetches until there is a next event, or none is left. */
  async fill(): Promise<void> {
    while (this.next === undefined && this.request) {
      const { items, lastKey } = await this.fetch({ ...this.request, ...this.pageSize() });
      this.page = items;
      this.used = 0;
      this.pages++;
      this.request = lastKey && { ...this.request, ExclusiveStartKey: lastKey };
    }
  }

  take(): Item {
    return this.page[this.used++]!;
  }

  private pageSize(): { Limit?: number } {
    const least = this.request?.FilterExpression === undefined ? 1 : LEAST_FILTERED_PAGE;
    const limit = Math.max(this.limit, least) * PAGE_GROWTH ** this.pages;
    return limit < UNLIMITED_PAGE ? { Limit: limit } : {};
  }
}

/** The partition whose next event comes first. Only slices are several, and no two of them share a position. */
function first(pagers: readonly Pager[], forward: boolean): Pager | undefined {
  let found: Pager | undefined;
  for (const pager of pagers) {
    if (pager.next === undefined) continue;
    if (found === undefined || positionOf(pager) < positionOf(found) === forward) found = pager;
  }
  return found;
}

function positionOf({ next }: Pager): string {
  return String(next!.feedPosition);
}

/**
 * Checksums do not cover the keys of indexes, and an altered one must not show a tenant the events of another.
 */
function belonging(item: Item, { by, tenantId }: EventQuery): StoredEvent {
  const event = storedEventFrom(item);
  const { stream, metadata } = event;
  const asked = 'userId' in by ? metadata.userId === by.userId : stream.aggregateType === by.aggregateType;
  if (asked && stream.tenantId === tenantId) return event;
  throw new CorruptStreamError(
    `Version ${event.version} of ${streamName(stream)} stands in a place of an index that is not its own: its keys were changed by something else.`,
  );
}
