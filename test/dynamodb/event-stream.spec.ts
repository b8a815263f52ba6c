import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DynamoDbEventStream } from '../../src/dynamodb/dynamodb-event-stream.js';
import { EventStoreUnavailableError } from '../../src/index.js';
import { IteratorExpiredError, RecordsTrimmedError } from '../../src/store/event-stream.js';
import { clientConfig } from '../setup/database.js';
import { ScriptedDynamoDb, type Answer } from '../setup/scripted-dynamodb.js';

const tableWith = (LatestStreamArn: string, StreamViewType = 'NEW_IMAGE'): Answer => ({
  Table: { LatestStreamArn, StreamSpecification: { StreamEnabled: true, StreamViewType } },
});

/** What DynamoDB Local never says of a stream, over real HTTP. */
describe('a stream as the service has it', () => {
  let dynamodb: ScriptedDynamoDb;
  let client: DynamoDBClient;
  let stream: DynamoDbEventStream;

  beforeEach(async () => {
    dynamodb = await ScriptedDynamoDb.start();
    dynamodb.says('DescribeTable', [tableWith('one'), tableWith('other')]);
    client = new DynamoDBClient({ ...clientConfig(), endpoint: dynamodb.endpoint, maxAttempts: 1 });
    stream = await DynamoDbEventStream.open({ client, tableName: 'e', deadlineMs: 2000 });
  });

  afterEach(() => {
    stream.close();
    client.destroy();
    dynamodb.close();
  });

  it('shows its shards with their parents, however many answers they take', async () => {
    dynamodb.says('DescribeStream', [
      { StreamDescription: { Shards: [{ ShardId: 'a' }], LastEvaluatedShardId: 'a' } },
      { StreamDescription: { Shards: [{ ShardId: 'b', ParentShardId: 'a' }, { ShardId: 'c' }] } },
    ]);
    expect(await stream.shards()).toEqual([{ id: 'a' }, { id: 'b', parentId: 'a' }, { id: 'c' }]);
    expect(dynamodb.askedFor('DescribeStream').map(({ body }) => body)).toEqual([
      { StreamArn: 'one' },
      { StreamArn: 'one', ExclusiveStartShardId: 'a' },
    ]);
  });

  it('is found once, and again where it is gone', async () => {
    dynamodb.says('DescribeStream', [
      { StreamDescription: { Shards: [] } },
      'ResourceNotFoundException',
      { StreamDescription: { Shards: [{ ShardId: 'b' }] } },
    ]);
    expect(await stream.shards()).toEqual([]);
    expect(dynamodb.askedFor('DescribeTable')).toHaveLength(1);
    await expect(stream.shards()).rejects.toThrow(EventStoreUnavailableError);
    expect(await stream.shards()).toEqual([{ id: 'b' }]);
    expect(dynamodb.askedFor('DescribeStream').map(({ body }) => body.StreamArn)).toEqual(['one', 'one', 'other']);
  });

  it('is not looked for again after any other failure', async () => {
    dynamodb.says('DescribeStream', ['AccessDeniedException']);
    await expect(stream.shards()).rejects.toThrow('AccessDeniedException');
    await expect(stream.shards()).rejects.toThrow('AccessDeniedException');
    expect(dynamodb.askedFor('DescribeTable')).toHaveLength(1);
  });

  it.each(['NEW_IMAGE', 'NEW_AND_OLD_IMAGES', 'OLD_IMAGE', 'KEYS_ONLY'])(
    'is of use by its images: %s',
    async (type) => {
      dynamodb.says('DescribeTable', [tableWith('one', type)]);
      dynamodb.says('DescribeStream', [{ StreamDescription: { Shards: [] } }]);
      if (type.startsWith('NEW')) expect(await stream.shards()).toEqual([]);
      else await expect(stream.shards()).rejects.toThrow('no stream with images of new items');
    },
  );

  it('begins at the newest record, the oldest, or behind one', async () => {
    dynamodb.says('GetShardIterator', [{ ShardIterator: 'i' }]);
    for (const place of ['latest', 'oldest', { after: '7' }] as const)
      expect(await stream.iterator('a', place)).toBe('i');
    const asked = { StreamArn: 'one', ShardId: 'a' };
    expect(dynamodb.askedFor('GetShardIterator').map(({ body }) => body)).toEqual([
      { ...asked, ShardIteratorType: 'LATEST' },
      { ...asked, ShardIteratorType: 'TRIM_HORIZON' },
      { ...asked, ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '7' },
    ]);
  });

  it('tells the end of a shard from a page without records, and where to go on', async () => {
    const strange = { eventName: 'INSERT', dynamodb: { SequenceNumber: '8', NewImage: { pk: { S: 'x' } } } };
    const bare = { eventName: 'INSERT', dynamodb: { SequenceNumber: '9' } };
    dynamodb.says('GetRecords', [
      { Records: [], NextShardIterator: 'j' },
      { Records: [strange, bare], NextShardIterator: 'k' },
      { Records: [] },
    ]);
    expect(await stream.read('i')).toEqual({ events: [], last: undefined, next: 'j' });
    expect(await stream.read('j')).toEqual({ events: [], last: '9', next: 'k' });
    expect(await stream.read('k')).toEqual({ events: [], last: undefined, next: undefined });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['DescribeStream', () => stream.shards()],
    ['GetShardIterator', () => stream.iterator('a', 'latest')],
    ['GetRecords', () => stream.read('i')],
  ])('is not believed where %s is answered with nothing', async (operation, ask) => {
    dynamodb.says(operation, [{}]);
    await expect(ask()).rejects.toThrow('NoAnswer');
  });

  it('is given up in time where nobody gives credentials', async () => {
    const waiting = new DynamoDBClient({ ...clientConfig(), credentials: () => new Promise(() => {}) });
    const unread = await DynamoDbEventStream.open({ client: waiting, tableName: 'e', deadlineMs: 50 });
    for (const ask of [() => unread.shards(), () => unread.read('i')]) {
      const never = new Promise((resolve) => void setTimeout(resolve, 5000).unref());
      const asked = Promise.race([ask(), never]);
      await expect(asked).rejects.toThrow(EventStoreUnavailableError);
      await expect(asked).rejects.toThrow('TimeoutError');
    }
    unread.close();
    waiting.destroy();
  });

  it.each([
    ['ExpiredIteratorException', IteratorExpiredError],
    ['TrimmedDataAccessException', RecordsTrimmedError],
    ['ResourceNotFoundException', EventStoreUnavailableError],
    ['LimitExceededException', EventStoreUnavailableError],
  ])('that says %s is judged by that', async (name, error) => {
    dynamodb.says('GetRecords', [name]);
    await expect(stream.read('i')).rejects.toThrow(error);
  });
});
