import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchWriteCommand, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { EventRegistry, EventType, type StreamId } from '../../../src/index.js';
import { eventItem, type Item } from '../../../src/dynamodb/items.js';
import { streamKey } from '../../../src/event/stream-id.js';
import type { Random } from '../random.js';

@EventType('query-check.Measured')
export class Measured {
  constructor(
    readonly reading: number,
    readonly unit: string,
  ) {}
}

export const registry = new EventRegistry().register(Measured);

export const METER = 'meter';

/** The user of some events, one in so many. */
export const READER = { userId: 'reader', oneIn: 20 } as const;

/** So many events have about the same millisecond. */
const EVENTS_A_MILLISECOND = 3;

const START = Date.parse('2026-01-01T00:00:00.000Z');
const BATCH = 25;
const WRITERS = 8;

/** What is in the table, for comparison. */
export interface MeterLog {
  /** How many events each stream has, by aggregate id. */
  readonly versions: ReadonlyMap<string, number>;
  /** Of these, events of the reader. */
  readonly byReader: number;
}

export interface MeterLogOptions {
  readonly events: number;
  readonly aggregates: number;
  readonly tenantId: string | undefined;
}

/** Fills a table with the items that the store itself would write, some hundred times faster. */
export async function writeMeterLog(
  client: DynamoDBClient,
  tableName: string,
  { events, aggregates, tenantId }: MeterLogOptions,
  random: Random,
  progress: (done: number) => void,
): Promise<MeterLog> {
  const document = DynamoDBDocumentClient.from(client);
  const heads = new Map<string, { version: number; eventTime: number }>();
  let byReader = 0;
  let done = 0;

  function nextItem(): Item {
    const index = done++;
    const aggregateId = `m-${index < aggregates ? index : random.below(aggregates)}`;
    const head = heads.get(aggregateId) ?? { version: 0, eventTime: 0 };
    const version = head.version + 1;
    const eventTime = Math.max(START + Math.floor(index / EVENTS_A_MILLISECOND), head.eventTime + 1);
    heads.set(aggregateId, { version, eventTime });
    const isReaders = random.below(READER.oneIn) === 0;
    if (isReaders) byReader++;
    const stream: StreamId = { ...(tenantId !== undefined && { tenantId }), aggregateType: METER, aggregateId };
    const place = { stream, version, eventTime, eventId: `e-${index}`, commitId: `c-${index}` };
    const metadata = isReaders ? { userId: READER.userId } : {};
    const encoded = registry.encode(new Measured(index, 'kWh'));
    return eventItem({ ...encoded, ...place, metadata, commitIndex: 0, commitSize: 1 }, streamKey(stream));
  }

  async function writeBatches(): Promise<void> {
    while (done < events) {
      let left = Array.from({ length: Math.min(BATCH, events - done) }, () => ({ PutRequest: { Item: nextItem() } }));
      while (left.length > 0) {
        const request = new BatchWriteCommand({ RequestItems: { [tableName]: left } });
        const { UnprocessedItems = {} } = await document.send(request);
        left = (UnprocessedItems[tableName] ?? []) as typeof left;
      }
      progress(done);
    }
  }

  await Promise.all(Array.from({ length: WRITERS }, writeBatches));
  return { versions: new Map([...heads].map(([id, { version }]) => [id, version])), byReader };
}
