import type { DynamoDBClient, QueryCommandInput, QueryCommandOutput } from '@aws-sdk/client-dynamodb';

/** Counts the queries that a client sends, and the items that came and were not given out yet. */
export class WatchedQueries {
  requests = 0;
  received = 0;
  largestPage = 0;
  private readonly partitions = new Set<string>();

  constructor(client: DynamoDBClient) {
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName !== 'QueryCommand') return next(args);
          this.requests++;
          const { ExpressionAttributeValues: values } = args.input as QueryCommandInput;
          this.partitions.add(values?.[':partition']?.S ?? '');
          const result = await next(args);
          const { Count = 0 } = result.output as QueryCommandOutput;
          this.received += Count;
          this.largestPage = Math.max(this.largestPage, Count);
          return result;
        },
      { step: 'deserialize', priority: 'high', name: 'watchedQueries' },
    );
  }

  /** Partitions of the index that were asked. */
  get slices(): number {
    return this.partitions.size;
  }

  reset(): void {
    this.requests = 0;
    this.received = 0;
    this.largestPage = 0;
    this.partitions.clear();
  }
}
