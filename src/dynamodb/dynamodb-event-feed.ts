import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { QueryCommandInput } from '@aws-sdk/lib-dynamodb';
import { streamKey, type StreamId } from '../event/stream-id.js';
import { EventFeed, positionAt, type FeedEvent, type FeedPage, type FeedPace } from '../store/event-feed.js';
import type { ReadRange } from '../store/event-store.js';
import { versionRange } from '../store/read-range.js';
import type { StoredEvent } from '../store/stored-event.js';
import { Deadline, Wait } from './deadline.js';
import { feedBounds, feedPlace, feedSlice, sliceOf } from './index-keys.js';
import { eventFrom, type Item } from './items.js';
import { Sender } from './sender.js';
import { StreamReader } from './stream-reader.js';
import { FEED_INDEX, FEED_SLICES } from './table.js';

export interface DynamoDbEventFeedOptions {
  readonly client: DynamoDBClient;
  /** Of the events. */
  readonly tableName: string;
  /** No request takes longer; in milliseconds. */
  readonly deadlineMs: number;
}

/** The feed index. It follows the table a little later, and not in the order in which events were stored. */
export class DynamoDbEventFeed extends EventFeed {
  override readonly pace: FeedPace = { marginMs: 1000, pollMs: 500 };
  private readonly sender: Sender;
  private readonly reader: StreamReader;

  constructor(private readonly options: DynamoDbEventFeedOptions) {
    super();
    this.sender = new Sender(options.client);
    this.reader = new StreamReader(this.sender, options.tableName);
  }

  override partitionsOf(aggregateType: string): readonly string[] {
    return Array.from({ length: FEED_SLICES }, (_, slice) => feedSlice(aggregateType, slice));
  }

  override partitionOf(stream: StreamId): string {
    return feedSlice(stream.aggregateType, sliceOf(streamKey(stream)));
  }

  override positionOf({ stream, eventTime }: Pick<StoredEvent, 'stream' | 'eventTime'>): string {
    return feedPlace(streamKey(stream), positionAt(eventTime)).feedPosition;
  }

  override async read(
    partition: string,
    from: string,
    to: number,
    signal?: AbortSignal,
    limit?: number,
  ): Promise<FeedPage> {
    const input = { ...feedQuery(this.options.tableName, partition, from, to), ...(limit && { Limit: limit }) };
    const events: FeedEvent[] = [];
    for (let startKey: Item | undefined; ;) {
      const { items, more, lastKey } = await this.sender.query(
        { ...input, ...(startKey && { ExclusiveStartKey: startKey }) },
        Deadline.after(this.options.deadlineMs, signal),
      );
      for (const item of items) {
        const event = eventFrom(item);
        if (event) events.push({ position: String(item.feedPosition), event });
      }
      // Nothing but items of others, or what was there before, does not say from where on to read.
      if (!more || events.some(({ position }) => position > from)) return { events, more };
      startKey = lastKey;
    }
  }

  override async count(partition: string, from: string, to: number): Promise<number> {
    const input = feedQuery(this.options.tableName, partition, from, to);
    let count = 0;
    let startKey: Item | undefined;
    do {
      const page = await this.sender.count(
        { ...input, ...(startKey && { ExclusiveStartKey: startKey }) },
        Deadline.after(this.options.deadlineMs),
      );
      count += page.count;
      startKey = page.lastKey;
    } while (startKey);
    return count;
  }

  override async *readStream(stream: StreamId, range: ReadRange): AsyncIterable<StoredEvent> {
    const wait = Wait.of(this.options.deadlineMs, range);
    yield* this.reader.readKnown(stream, streamKey(stream), versionRange(range), wait);
  }
}

function feedQuery(tableName: string, partition: string, from: string, to: number): QueryCommandInput {
  const { high } = feedBounds('', positionAt(to));
  return {
    TableName: tableName,
    IndexName: FEED_INDEX.name,
    KeyConditionExpression: `${FEED_INDEX.partitionKey} = :partition AND ${FEED_INDEX.sortKey} BETWEEN :from AND :high`,
    ExpressionAttributeValues: { ':partition': partition, ':from': from, ':high': high },
  };
}
