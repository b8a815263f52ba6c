import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type * as Sdk from '@aws-sdk/client-dynamodb-streams';
import { CorruptStreamError } from '../event/event-errors.js';
import {
  EventStream,
  IteratorExpiredError,
  RecordsTrimmedError,
  type Shard,
  type ShardPage,
  type ShardPlace,
} from '../store/event-stream.js';
import { EventStoreUnavailableError } from '../store/store-errors.js';
import { isReadable } from '../store/stored-event.js';
import { failureName } from './failure.js';
import { eventOfRecord } from './stream-record.js';
import { withinTime } from './within-time.js';

/** The optional package that has to be installed for it. */
export const STREAMS_PACKAGE = '@aws-sdk/client-dynamodb-streams';

export interface DynamoDbEventStreamOptions {
  /** Its region, credentials and endpoint are used for the stream as well. */
  readonly client: DynamoDBClient;
  /** Of the events. */
  readonly tableName: string;
  /** No request takes longer; in milliseconds. */
  readonly deadlineMs: number;
}

/** DynamoDB Streams of the events table. */
export class DynamoDbEventStream extends EventStream {
  private streamArn: string | undefined;

  private constructor(
    /** The optional package that reads streams, which is loaded where it is used. */
    private readonly sdk: typeof Sdk,
    private readonly streams: Sdk.DynamoDBStreamsClient,
    private readonly options: DynamoDbEventStreamOptions,
  ) {
    super();
  }

  /** @throws where `@aws-sdk/client-dynamodb-streams` is not installed */
  static async open(options: DynamoDbEventStreamOptions): Promise<DynamoDbEventStream> {
    const sdk = await import('@aws-sdk/client-dynamodb-streams');
    const { region, credentials, endpoint, isCustomEndpoint } = options.client
      .config as typeof options.client.config & {
      readonly isCustomEndpoint?: boolean;
    };
    const streams = new sdk.DynamoDBStreamsClient({
      region,
      credentials,
      // That of DynamoDB itself has no streams.
      ...(isCustomEndpoint && endpoint && { endpoint }),
    });
    return new DynamoDbEventStream(sdk, streams, options);
  }

  override async shards(): Promise<readonly Shard[]> {
    const StreamArn = await this.arn();
    const shards: Shard[] = [];
    let from: string | undefined;
    do {
      const command = new this.sdk.DescribeStreamCommand({
        StreamArn,
        ...(from !== undefined && { ExclusiveStartShardId: from }),
      });
      const { StreamDescription }: Sdk.DescribeStreamCommandOutput = await this.ask((sent) =>
        this.streams.send(command, sent),
      );
      // An answer without them would make all shards look gone.
      if (!StreamDescription?.Shards) throw unavailable('NoAnswer');
      for (const { ShardId, ParentShardId } of StreamDescription.Shards) {
        shards.push({ id: ShardId!, ...(ParentShardId !== undefined && { parentId: ParentShardId }) });
      }
      from = StreamDescription.LastEvaluatedShardId;
    } while (from !== undefined);
    return shards;
  }

  override async iterator(shard: string, place: ShardPlace): Promise<string> {
    const command = new this.sdk.GetShardIteratorCommand({
      StreamArn: await this.arn(),
      ShardId: shard,
      ...(typeof place === 'object'
        ? { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: place.after }
        : { ShardIteratorType: place === 'latest' ? 'LATEST' : 'TRIM_HORIZON' }),
    });
    const { ShardIterator } = await this.ask((sent) => this.streams.send(command, sent));
    if (ShardIterator === undefined) throw unavailable('NoAnswer');
    return ShardIterator;
  }

  override async read(iterator: string): Promise<ShardPage> {
    const command = new this.sdk.GetRecordsCommand({ ShardIterator: iterator });
    const { Records, NextShardIterator } = await this.ask((sent) => this.streams.send(command, sent));
    // Or the shard finished.
    if (!Records) throw unavailable('NoAnswer');
    const events = Records.flatMap((record) => {
      try {
        const event = eventOfRecord(record as Parameters<typeof eventOfRecord>[0]);
        // The feed brings what cannot be read as well.
        return event && isReadable(event) ? event : [];
      } catch (error) {
        if (error instanceof CorruptStreamError) return [];
        throw error;
      }
    });
    return { events, last: Records.at(-1)?.dynamodb?.SequenceNumber, next: NextShardIterator };
  }

  override close(): void {
    this.streams.destroy();
  }

  private async arn(): Promise<string> {
    if (this.streamArn !== undefined) return this.streamArn;
    const command = new DescribeTableCommand({ TableName: this.options.tableName });
    const { Table } = await this.ask((sent) => this.options.client.send(command, sent));
    const { LatestStreamArn, StreamSpecification: specification } = Table ?? {};
    const type = specification?.StreamViewType;
    if (!LatestStreamArn || !(type === 'NEW_IMAGE' || type === 'NEW_AND_OLD_IMAGES')) {
      throw new EventStoreUnavailableError(
        `Table "${this.options.tableName}" has no stream with images of new items: enable one with the view type NEW_IMAGE.`,
      );
    }
    this.streamArn = LatestStreamArn;
    return LatestStreamArn;
  }

  private async ask<T>(send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    try {
      return await withinTime(this.options.deadlineMs, (abortSignal) => send({ abortSignal }));
    } catch (error) {
      const name = failureName(error);
      if (name === 'ExpiredIteratorException') throw new IteratorExpiredError();
      if (name === 'TrimmedDataAccessException') throw new RecordsTrimmedError();
      // The stream may have been disabled, and enabled as another one.
      if (name === 'ResourceNotFoundException') this.streamArn = undefined;
      throw unavailable(name);
    }
  }
}

function unavailable(name: string): EventStoreUnavailableError {
  return new EventStoreUnavailableError(
    `The stream of the events table could not be read (${name}): check that it is enabled and that the role of this process may read it.`,
  );
}
