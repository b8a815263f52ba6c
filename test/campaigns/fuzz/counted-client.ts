import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { clientFor } from '../tables.js';

/** A client that counts what it sends, each attempt for itself. */
export class CountedClient {
  readonly client: DynamoDBClient;
  requests = 0;
  bytes = 0;

  constructor(endpoint: string) {
    this.client = clientFor(endpoint);
    this.client.middlewareStack.add(
      (next) => (args) => {
        this.requests++;
        this.bytes += Buffer.byteLength((args.request as { body?: string | Uint8Array }).body ?? '');
        return next(args);
      },
      { step: 'deserialize', priority: 'low', name: 'countRequests' },
    );
  }
}
