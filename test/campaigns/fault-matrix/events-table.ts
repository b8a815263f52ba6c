import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { EventRegistry, StreamId } from '../../../src/index.js';

/** What became of a write, as the table itself shows it. */
export type Truth =
  | { readonly state: 'applied'; readonly commitId?: string }
  | { readonly state: 'not applied' }
  /** Something between the two, or beyond them. */
  | { readonly state: 'broken'; readonly shown: string };

/** What a write does to one stream. */
export interface Change {
  readonly stream: StreamId;
  readonly before: readonly object[];
  readonly added: readonly object[];
}

interface StoredItem {
  readonly sk: number;
  readonly version: number;
  readonly eventId: string;
  readonly commitId: string;
  readonly eventType: string;
  readonly eventData: unknown;
  readonly state?: unknown;
}

const SNAPSHOT_SORT_KEY = Number.MAX_SAFE_INTEGER;

/** Reads the events table past the package, so that a fault of the package cannot hide itself. */
export class EventsTable {
  private readonly client: DynamoDBDocumentClient;

  constructor(
    client: DynamoDBClient,
    private readonly tableName: string,
    private readonly registry: EventRegistry,
  ) {
    this.client = DynamoDBDocumentClient.from(client);
  }

  /** Whether all changes of a commit are there, or none. */
  async truthOf(changes: readonly Change[]): Promise<Truth> {
    const found = await Promise.all(changes.map(({ stream }) => this.eventsOf(stream)));
    const matches = (whole: (change: Change) => readonly object[]) =>
      changes.every((change, index) => isStreamOf(found[index]!, this.textsOf(whole(change))));
    if (matches(({ before }) => before)) return { state: 'not applied' };
    if (matches(({ before, added }) => [...before, ...added])) {
      const added = changes.flatMap(({ before }, index) => found[index]!.slice(before.length));
      const [{ commitId }] = added as [StoredItem];
      if (added.every((item) => item.commitId === commitId)) return { state: 'applied', commitId };
    }
    const shown = found.map((items) =>
      items.map(({ sk, eventType, eventData }) => `${sk} ${eventType} ${String(eventData)}`),
    );
    return { state: 'broken', shown: JSON.stringify(shown) };
  }

  /** Whether a stream has a snapshot of this version and state, or none. */
  async truthOfSnapshot(stream: StreamId, version: number, state: string): Promise<Truth> {
    const snapshot = (await this.itemsOf(stream)).find(({ sk }) => sk === SNAPSHOT_SORT_KEY);
    if (!snapshot) return { state: 'not applied' };
    if (snapshot.version === version && snapshot.state === state) return { state: 'applied' };
    return { state: 'broken', shown: `a snapshot of version ${snapshot.version}: ${String(snapshot.state)}` };
  }

  private async eventsOf(stream: StreamId): Promise<StoredItem[]> {
    return (await this.itemsOf(stream)).filter(({ sk }) => sk !== SNAPSHOT_SORT_KEY);
  }

  private async itemsOf({ aggregateType, aggregateId }: StreamId): Promise<StoredItem[]> {
    const { Items } = await this.client.send(
      new QueryCommand({
        TableName: this.tableName,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': `#${aggregateType}#${aggregateId}` },
        ConsistentRead: true,
      }),
    );
    return Items as StoredItem[];
  }

  private textsOf(events: readonly object[]): string[] {
    return events.map((event) => {
      const { eventType, eventData } = this.registry.encode(event);
      return `${eventType} ${String(eventData)}`;
    });
  }
}

/** Exactly these events, their versions dense from 1, no event twice. */
function isStreamOf(items: readonly StoredItem[], texts: readonly string[]): boolean {
  return (
    items.length === texts.length &&
    new Set(items.map(({ eventId }) => eventId)).size === items.length &&
    items.every(
      ({ sk, version, eventType, eventData }, index) =>
        sk === index + 1 && version === sk && `${eventType} ${String(eventData)}` === texts[index],
    )
  );
}
