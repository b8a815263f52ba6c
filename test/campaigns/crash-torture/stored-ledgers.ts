import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb';

/** An event as the table holds it. */
export interface StoredEntry {
  readonly version: number;
  /** The key of its command; none in the event that seals a ledger. */
  readonly key: string | undefined;
  /** What was booked; none in the event that opens a ledger. */
  readonly amount: number | undefined;
  readonly eventId: string;
  readonly commitId: string;
}

export interface StoredLedgers {
  readonly streams: ReadonlyMap<string, readonly StoredEntry[]>;
  readonly snapshots: number;
}

/** All streams, taken from the table itself, so that no reader of the package stands between. */
export async function storedLedgers(client: DynamoDBClient, tableName: string): Promise<StoredLedgers> {
  const streams = new Map<string, StoredEntry[]>();
  let snapshots = 0;
  const pages = paginateScan(
    { client: DynamoDBDocumentClient.from(client) },
    { TableName: tableName, ConsistentRead: true },
  );
  for await (const { Items } of pages) {
    for (const item of Items!) {
      if (item.eventId === undefined) snapshots++;
      else entriesOf(streams, item).push(entryFrom(item));
    }
  }
  for (const entries of streams.values()) entries.sort((one, other) => one.version - other.version);
  return { streams, snapshots };
}

function entriesOf(streams: Map<string, StoredEntry[]>, item: Record<string, unknown>): StoredEntry[] {
  const stream = `${String(item.aggregateType)}/${String(item.aggregateId)}`;
  const entries = streams.get(stream) ?? [];
  streams.set(stream, entries);
  return entries;
}

function entryFrom(item: Record<string, unknown>): StoredEntry {
  const { key, amount } = JSON.parse(item.eventData as string) as { key?: string; amount?: number };
  return {
    version: item.version as number,
    key,
    amount,
    eventId: item.eventId as string,
    commitId: item.commitId as string,
  };
}
