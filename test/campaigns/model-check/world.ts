import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { StreamId, TableNames } from '../../../src/index.js';
import { clientFor } from '../tables.js';
import { startLedgers, type LedgerApplication } from './application.js';
import { after, EMPTY, eventFrom, LEDGERS, type EventPlan, type Ledger, type LedgerState } from './ledger.js';

/** An event that both stores must hold. */
export interface JournalEntry {
  readonly plan: EventPlan;
  readonly metadata: Readonly<Record<string, string>>;
  /** Written by a command, whose id stands in its metadata. */
  readonly byCommand: boolean;
}

/** The same aggregate from both stores. */
export interface Held {
  readonly memory: Ledger;
  readonly real: Ledger;
  version: number;
  /** Applied, and not stored. */
  pending: JournalEntry[];
}

/** What is true of one stream, by the commands alone. */
export interface Journal {
  readonly stream: StreamId;
  readonly entries: JournalEntry[];
  /** A snapshot was damaged, so that the stores may hold different ones. */
  spoilt: boolean;
  held: Held | undefined;
}

/** The model: the journals, and the store in memory. */
export interface Model {
  readonly journals: readonly Journal[];
  readonly memory: LedgerApplication;
  /** The commands that were run, by kind. */
  readonly counts: Map<string, number>;
}

/** The system: the store in DynamoDB. */
export class Real {
  private constructor(
    readonly tables: TableNames,
    private readonly endpoint: string,
    /** Beside the store, to meddle with its items. */
    readonly documents: DynamoDBDocumentClient,
    private client: DynamoDBClient,
    private running: LedgerApplication,
  ) {}

  static async start(endpoint: string, tables: TableNames): Promise<Real> {
    const client = clientFor(endpoint);
    const documents = DynamoDBDocumentClient.from(clientFor(endpoint));
    return new Real(tables, endpoint, documents, client, await startLedgers({ client, tables }));
  }

  get application(): LedgerApplication {
    return this.running;
  }

  /** As a new process: nothing but the tables is left. */
  async restart(): Promise<void> {
    await this.end();
    this.client = clientFor(this.endpoint);
    this.running = await startLedgers({ client: this.client, tables: this.tables });
  }

  async close(): Promise<void> {
    await this.end();
    this.documents.destroy();
  }

  private async end(): Promise<void> {
    await this.running.close();
    this.client.destroy();
  }
}

/** Streams that share an id, told apart by type and tenant. */
export function newJournals(aggregateId: string): Journal[] {
  const tenants = [undefined, undefined, 'north', undefined, 'south'];
  const types = [...LEDGERS.keys(), 'model-every'];
  return types.map((aggregateType, index) => {
    const tenantId = tenants[index];
    const stream = { ...(tenantId !== undefined && { tenantId }), aggregateType, aggregateId };
    return { stream, entries: [], spoilt: false, held: undefined };
  });
}

/** The state after so many events of a journal. */
export function foldOf({ entries }: Journal, version = entries.length): LedgerState {
  return entries.slice(0, version).reduce((state, { plan }) => after(state, eventFrom(plan)), EMPTY);
}
