import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { TableNames } from '../../../src/index.js';
import { clientFor } from '../tables.js';
import { startBank, type BankApplication } from './bank-application.js';
import type { Cell } from './cell.js';
import type { FaultyNetwork } from './faulty-network.js';
import { timeOperations, type HearTime } from './operation-times.js';

/** An application with a client, for one trial at a time. */
export class Bench {
  private hear: HearTime = () => {};

  private constructor(
    private readonly endpoint: string,
    private readonly client: DynamoDBClient,
    readonly application: BankApplication,
  ) {
    timeOperations(application.store, (operation, milliseconds) => this.hear(operation, milliseconds));
  }

  static async start(endpoint: string, tables: TableNames, sumsTable: string, deadlineMs: number): Promise<Bench> {
    const client = clientFor(endpoint);
    return new Bench(endpoint, client, await startBank(client, tables, sumsTable, deadlineMs));
  }

  /** From now on it serves this trial, as if its client were new. */
  serve(trial: string, cell: Cell, network: FaultyNetwork, hear: HearTime): void {
    // The SDK gives each client a budget of retries, which the faults of other trials have used up.
    const { maxAttempts, retryStrategy } = this.newClient(cell.maxAttempts).config;
    Object.assign(this.client.config, { maxAttempts, retryStrategy });
    network.connect(this.client, trial, cell);
    this.hear = hear;
  }

  async close(): Promise<void> {
    await this.application.close();
    this.client.destroy();
  }

  private newClient(maxAttempts: Cell['maxAttempts']): DynamoDBClient {
    return clientFor(this.endpoint, maxAttempts === 'default' ? {} : { maxAttempts });
  }
}
