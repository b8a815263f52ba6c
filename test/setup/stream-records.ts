import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type _Record,
} from '@aws-sdk/client-dynamodb-streams';
import type { ItemImage, StreamRecord } from '../../src/index.js';
import { clientConfig } from './database.js';

/** All records of a table's stream, as `GetRecords` gives them. */
export async function recordsOf(client: DynamoDBClient, tableName: string): Promise<_Record[]> {
  const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
  const StreamArn = Table!.LatestStreamArn!;
  const streams = new DynamoDBStreamsClient(clientConfig());
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
  const records: _Record[] = [];
  for (const { ShardId } of StreamDescription!.Shards!) {
    const place = { StreamArn, ShardId: ShardId!, ShardIteratorType: 'TRIM_HORIZON' as const };
    let iterator = (await streams.send(new GetShardIteratorCommand(place))).ShardIterator;
    while (iterator) {
      const { Records = [], NextShardIterator } = await streams.send(
        new GetRecordsCommand({ ShardIterator: iterator }),
      );
      if (Records.length === 0) break;
      records.push(...Records);
      iterator = NextShardIterator;
    }
  }
  streams.destroy();
  return records;
}

/** The record as Lambda gives it, in JSON. */
export function asLambdaHasIt({ eventName, dynamodb }: _Record): StreamRecord {
  const image = (item: ItemImage): ItemImage =>
    Object.fromEntries(
      Object.entries(item).map(([name, value]) => {
        const { B: bytes } = value as { B?: Uint8Array };
        return [name, bytes ? { B: Buffer.from(bytes).toString('base64') } : value];
      }),
    );
  const { NewImage, SequenceNumber } = dynamodb!;
  const record: StreamRecord = {
    eventName,
    dynamodb: { SequenceNumber, ...(NewImage && { NewImage: image(NewImage) }) },
  };
  return JSON.parse(JSON.stringify(record)) as StreamRecord;
}
