import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { TableNames } from './table.js';

/** How to reach DynamoDB, and which tables to use there. */
export interface DynamoDbOptions {
  readonly tables?: TableNames;
  /** A client of your own, which you also close. */
  readonly client?: DynamoDBClient;
  /** Configuration of the client that is made when none is given; closed when the application closes. */
  readonly clientConfig?: DynamoDBClientConfig;
}

/** A client, and whether it is ours to close. */
export class DynamoDbConnection {
  readonly client: DynamoDBClient;
  private readonly ours: boolean;

  constructor({ client, clientConfig }: DynamoDbOptions) {
    this.ours = client === undefined;
    this.client = client ?? new DynamoDBClient(clientConfig ?? {});
  }

  close(): void {
    if (this.ours) this.client.destroy();
  }
}
