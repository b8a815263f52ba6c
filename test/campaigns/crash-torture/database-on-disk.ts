import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDynamoDbLocal, type DynamoDbLocal } from '../../../scripts/dynamodb-local.js';

/** From the kill until the database answered again, by `performance.now()`. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** A DynamoDB Local that keeps its tables on disk, and comes back on the same port when it is killed. */
export class DatabaseOnDisk {
  readonly endpoint: string;
  readonly outages: Outage[] = [];
  /** Resolves when no kill is under way. */
  up: Promise<void> = Promise.resolve();

  private constructor(
    private readonly dataDirectory: string,
    private running: DynamoDbLocal,
  ) {
    this.endpoint = running.endpoint;
  }

  static async start(): Promise<DatabaseOnDisk> {
    const dataDirectory = await mkdtemp(join(tmpdir(), 'crash-torture-'));
    return new DatabaseOnDisk(dataDirectory, await startDynamoDbLocal({ dataDirectory }));
  }

  /** Ends Java with -9, and starts it again. */
  kill(): Promise<void> {
    this.up = this.up.then(() => this.restart());
    return this.up;
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await rm(this.dataDirectory, { recursive: true });
  }

  private async restart(): Promise<void> {
    const from = performance.now();
    process.kill(this.running.pid, 'SIGKILL');
    await this.running.stop();
    const port = Number(new URL(this.endpoint).port);
    this.running = await startDynamoDbLocal({ dataDirectory: this.dataDirectory, port });
    this.outages.push({ from, to: performance.now() });
  }
}
