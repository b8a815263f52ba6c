import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { joinedKey, type StreamId } from '../event/stream-id.js';
import {
  Bookkeeping,
  type BookkeepingEntry,
  type EntryWrite,
  type ProjectOutcome,
  type StreamPosition,
} from '../store/bookkeeping.js';
import { sideBySide } from '../store/side-by-side.js';
import { EventStoreUnavailableError } from '../store/store-errors.js';
import { invalidWritesError, refusedByConditionError, type TableWrite } from '../store/table-write.js';
import { appendRequest, type TransactItem } from './append-request.js';
import { entryFrom, entryItem, positionFrom, positionItem, positionKey } from './bookkeeping-items.js';
import { writeCommit, type WriteOutcome } from './commit-protocol.js';
import { Deadline } from './deadline.js';
import type { Item } from './items.js';
import { itemQuery } from './query-request.js';
import { RequestRefusedError, Sender } from './sender.js';

export interface DynamoDbBookkeepingOptions {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  /** No page of entries, and no other operation, takes longer; in milliseconds. */
  readonly deadlineMs: number;
}

/** So many positions are read side by side. */
const POSITIONS_AT_ONCE = 16;

/** The bookkeeping table. */
export class DynamoDbBookkeeping extends Bookkeeping {
  private readonly sender: Sender;

  constructor(private readonly options: DynamoDbBookkeepingOptions) {
    super();
    this.sender = new Sender(options.client);
  }

  override async entries<V>(subject: readonly string[]): Promise<readonly BookkeepingEntry<V>[]> {
    const entries: BookkeepingEntry<V>[] = [];
    let startKey: Item | undefined;
    do {
      const { items, lastKey } = await this.page(joinedKey(undefined, ...subject), startKey);
      entries.push(...items.map((item) => entryFrom<V>(item)));
      startKey = lastKey;
    } while (startKey);
    return entries;
  }

  override async entry<V>(subject: readonly string[], id: string): Promise<BookkeepingEntry<V> | undefined> {
    const query = itemQuery(this.options.tableName, joinedKey(undefined, ...subject), id);
    const { items } = await this.sender.query(query, Deadline.after(this.options.deadlineMs));
    return items[0] && entryFrom<V>(items[0]);
  }

  override async write(subject: readonly string[], id: string, value: unknown, revision: number): Promise<boolean> {
    const writeId = randomUUID();
    return this.change(this.putOf({ subject, id, value, revision }, writeId), writeId);
  }

  override async remove(subject: readonly string[], id: string, revision: number): Promise<boolean> {
    const Key = { pk: joinedKey(undefined, ...subject), sk: id };
    return this.change({ Delete: { TableName: this.options.tableName, Key, ...hasRevision(revision) } }, randomUUID());
  }

  override async project(
    positions: readonly StreamPosition[],
    writes: readonly TableWrite[],
    entry?: EntryWrite,
  ): Promise<ProjectOutcome> {
    const writeId = randomUUID();
    const moves = positions.map((position): TransactItem => ({
      Put: {
        TableName: this.options.tableName,
        Item: positionItem(position, writeId),
        ConditionExpression: 'attribute_not_exists(pk) OR #version < :version',
        ExpressionAttributeNames: { '#version': 'version' },
        ExpressionAttributeValues: { ':version': position.fromVersion },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      },
    }));
    const own = entry ? [...moves, this.putOf(entry, writeId)] : moves;
    const outcome = await this.send([...own, ...writes], writeId, own.length).catch((error: unknown) => {
      const isTheirs = writes.length > 0 && error instanceof RequestRefusedError && error.isInvalid;
      throw isTheirs ? invalidWritesError(writes) : error;
    });
    if (outcome.kind === 'stored') return outcome;
    if (outcome.taken < positions.length) return { kind: 'passed', index: outcome.taken };
    if (outcome.taken < own.length) return { kind: 'outdated' };
    throw refusedByConditionError(positions[0]!.projection, writes[outcome.taken - own.length]!);
  }

  override async positionsOf(projection: string, streams: readonly StreamId[]): Promise<readonly number[]> {
    const deadline = Deadline.after(this.options.deadlineMs);
    return sideBySide(streams, POSITIONS_AT_ONCE, async (stream) => {
      const { items } = await this.page(positionKey(projection, stream), undefined, deadline);
      return positionFrom(items[0]);
    });
  }

  /** A page of what lies together, as it is now. */
  private page(pk: string, startKey?: Item, deadline = Deadline.after(this.options.deadlineMs)) {
    return this.sender.query(
      {
        TableName: this.options.tableName,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': pk },
        ConsistentRead: true,
        ...(startKey && { ExclusiveStartKey: startKey }),
      },
      deadline,
    );
  }

  private putOf({ subject, id, value, revision }: EntryWrite, writeId: string): TransactItem {
    const Item = entryItem(joinedKey(undefined, ...subject), { id, value, revision: revision + 1 }, writeId);
    return { Put: { TableName: this.options.tableName, Item, ...hasRevision(revision) } };
  }

  private async change(write: TransactItem, writeId: string): Promise<boolean> {
    return (await this.send([write], writeId, 1)).kind === 'stored';
  }

  /**
   * @param own how many of the writes, from the first on, are to items of this table
   * @throws EventStoreUnavailableError also where the write may have been done
   */
  private async send(
    writes: readonly TransactItem[],
    writeId: string,
    own: number,
  ): Promise<Exclude<WriteOutcome, { kind: 'unknown' }>> {
    const places = {
      proofOf: (position: number) =>
        position < own ? { position, identity: { commitId: writeId, eventId: '' } } : undefined,
      // Revisions and positions only grow.
      staysTaken: (position: number) => position < own,
      // What failed its condition without an item in its place is nobody's.
      holderOf: async () => undefined,
    };
    const deadline = Deadline.after(this.options.deadlineMs);
    const outcome = await writeCommit(this.sender, appendRequest(writes, writeId), places, deadline);
    if (outcome.kind !== 'unknown') return outcome;
    throw new EventStoreUnavailableError(
      `DynamoDB did not say whether a change of table "${this.options.tableName}" was written (last failure: ${outcome.lastFailure}). It is made again, and counts once.`,
    );
  }
}

function hasRevision(revision: number) {
  const condition =
    revision === 0
      ? { ConditionExpression: 'attribute_not_exists(pk)' }
      : { ConditionExpression: 'revision = :revision', ExpressionAttributeValues: { ':revision': revision } };
  return { ...condition, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const };
}
