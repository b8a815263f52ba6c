import { createHash } from 'node:crypto';
import { inspect, isDeepStrictEqual } from 'node:util';
import { DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { createViewTable } from '../tables.js';
import type { Truth } from './events-table.js';

/** What lies beside the events of a commit, when they are there and when they are not. */
export interface Beside {
  readonly found: () => Promise<unknown>;
  readonly applied: unknown;
  readonly notApplied: unknown;
}

/** Reads what commits store beside events past the package: unique values, and the view of an inline projection. */
export class ItemsBeside {
  private readonly documents: DynamoDBDocumentClient;

  private constructor(
    private readonly client: DynamoDBClient,
    private readonly bookkeepingTable: string,
    readonly sumsTable: string,
  ) {
    this.documents = DynamoDBDocumentClient.from(client);
  }

  /** Makes the table of the view. */
  static async create(client: DynamoDBClient, bookkeepingTable: string): Promise<ItemsBeside> {
    const sums = await createViewTable(client, bookkeepingTable.replace('bookkeeping', 'sums'));
    return new ItemsBeside(client, bookkeepingTable, sums);
  }

  async drop(): Promise<void> {
    await this.client.send(new DeleteTableCommand({ TableName: this.sumsTable }));
  }

  /** The aggregate that holds a unique value. */
  async holderOf(constraint: string, value: string): Promise<unknown> {
    const hash = createHash('sha256').update(value).digest('hex');
    const item = await this.item(this.bookkeepingTable, { pk: `#unique#${constraint}#${hash}`, sk: 'holder' });
    return item?.aggregateId;
  }

  /** What the view says of an account. */
  async sumOf(id: string): Promise<unknown> {
    return (await this.item(this.sumsTable, { id }))?.sum;
  }

  private async item(TableName: string, Key: Record<string, string>): Promise<Record<string, unknown> | undefined> {
    return (await this.documents.send(new GetCommand({ TableName, Key, ConsistentRead: true }))).Item;
  }
}

/** Whether events and what is beside them are both there, or neither. */
export async function truthWith(beside: Beside, events: () => Promise<Truth>): Promise<Truth> {
  const truth = await look(beside, events);
  // A request that comes late may have come between the two reads.
  return truth.state === 'broken' ? look(beside, events) : truth;
}

async function look({ found, applied, notApplied }: Beside, events: () => Promise<Truth>): Promise<Truth> {
  const truth = await events();
  const item = await found();
  if (truth.state === 'broken') return truth;
  if (isDeepStrictEqual(item, truth.state === 'applied' ? applied : notApplied)) return truth;
  return { state: 'broken', shown: `events that were ${truth.state}, and beside them ${inspect(item)}` };
}
