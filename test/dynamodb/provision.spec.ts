import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { provisionTables, TableError, type TableNames } from '../../src/index.js';
import { createTableInput, tableDefinitions } from '../../src/dynamodb/table.js';
import { clientConfig } from '../setup/database.js';
import { ScriptedDynamoDb, type Answer, type Answers } from '../setup/scripted-dynamodb.js';

const tables: TableNames = { events: 'e', bookkeeping: 'b' };
const definitions = tableDefinitions(tables);

const described = (name: string, status: string | undefined, indexStatus?: string): Answer => {
  const input = createTableInput(definitions.find(({ tableName }) => tableName === name)!);
  return {
    Table: {
      TableName: name,
      ...(status && { TableStatus: status }),
      KeySchema: input.KeySchema,
      AttributeDefinitions: input.AttributeDefinitions,
      ...(input.GlobalSecondaryIndexes && {
        GlobalSecondaryIndexes: input.GlobalSecondaryIndexes.map((index, at) => ({
          IndexName: index.IndexName,
          KeySchema: index.KeySchema,
          // Only the last one is behind, as each has a state of its own.
          IndexStatus: at < 2 ? 'ACTIVE' : (indexStatus ?? 'ACTIVE'),
        })),
      }),
    },
  };
};

/** All is there and set up. */
const READY: Answers = ({ operation, body }) => {
  const TableName = String(body.TableName);
  switch (operation) {
    case 'DescribeTable':
      return described(TableName, 'ACTIVE');
    case 'DescribeTimeToLive':
      return { TimeToLiveDescription: { TimeToLiveStatus: 'ENABLED', AttributeName: 'expiresAt' } };
    case 'DescribeContinuousBackups':
      return {
        ContinuousBackupsDescription: {
          ContinuousBackupsStatus: 'ENABLED',
          PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: 'ENABLED' },
        },
      };
    default:
      return {};
  }
};

/** What DynamoDB Local never says: tables in the making, backups, and errors of the real service, over real HTTP. */
describe('provisionTables', () => {
  let dynamodb: ScriptedDynamoDb;
  let client: DynamoDBClient;

  beforeEach(async () => {
    dynamodb = await ScriptedDynamoDb.start(READY);
    client = new DynamoDBClient({ ...clientConfig(), endpoint: dynamodb.endpoint, maxAttempts: 1 });
  });

  afterEach(() => {
    jest.restoreAllMocks();
    client.destroy();
    dynamodb.close();
  });

  const askedFor = (operation: string, table: string) => dynamodb.askedFor(operation, table);
  const says = (operation: string, table: string, ...answers: Answer[]) => dynamodb.says(operation, answers, table);

  it('asks about tables that are set up, and changes nothing', async () => {
    const steps: string[] = [];
    await provisionTables(client, tables, (step) => steps.push(step));
    expect(steps.toSorted()).toEqual(['b: active', 'b: already there', 'e: active', 'e: already there']);
    expect(dynamodb.asked.map(({ operation, body }) => `${operation} ${String(body.TableName)}`).toSorted()).toEqual([
      'DescribeContinuousBackups b',
      'DescribeContinuousBackups e',
      'DescribeTable b',
      'DescribeTable b',
      'DescribeTable e',
      'DescribeTable e',
      'DescribeTimeToLive b',
    ]);
  });

  it.each<[string, Answer[]]>([
    ['there at all', ['ResourceNotFoundException', 'ResourceNotFoundException']],
    ['described', ['ResourceNotFoundException', {}]],
    ['active', ['ResourceNotFoundException', described('e', 'CREATING', 'CREATING')]],
    ['of a known status', ['ResourceNotFoundException', described('e', undefined)]],
    ['complete with its indexes', ['ResourceNotFoundException', described('e', 'ACTIVE', 'CREATING')]],
    ['that of an index that is being deleted', ['ResourceNotFoundException', described('e', 'UPDATING', 'DELETING')]],
  ])('waits while a new table is not %s', async (_, before) => {
    const backups = jest.fn();
    says('DescribeTable', 'e', ...before, described('e', 'ACTIVE'));
    const steps: string[] = [];
    await provisionTables(client, tables, (step) => {
      steps.push(step);
      if (step === 'e: active') backups(askedFor('DescribeTable', 'e').length);
    });
    expect(backups.mock.calls).toEqual([[before.length + 1]]);
    expect(askedFor('CreateTable', 'e').map(({ body }) => body)).toEqual([createTableInput(definitions[0]!)]);
    expect(steps).toContain('e: created, waiting until it is active');
  });

  it('takes a table whose settings are being changed, and an index that tells no status, for active', async () => {
    const { Table } = described('e', 'UPDATING') as { Table: { GlobalSecondaryIndexes: object[] } };
    const indexes = Table.GlobalSecondaryIndexes.map((index) => ({ ...index, IndexStatus: undefined }));
    says('DescribeTable', 'e', { Table: { ...Table, GlobalSecondaryIndexes: indexes } });
    await provisionTables(client, tables);
    expect(askedFor('DescribeTable', 'e')).toHaveLength(2);
  });

  it('gives up on a table that is not active after 5 minutes', async () => {
    says('DescribeTable', 'e', 'ResourceNotFoundException', described('e', 'CREATING'));
    const begun = Date.now();
    const minutes = () => [0, 0, 0, 5, 5.01][askedFor('DescribeTable', 'e').length]!;
    jest.spyOn(Date, 'now').mockImplementation(() => begun + minutes() * 60_000);
    const attempt = provisionTables(client, tables);
    await expect(attempt).rejects.toThrow('Table "e": it is not active after 5 minutes');
    expect(askedFor('DescribeTable', 'e')).toHaveLength(4);
  });

  it('goes on where another process creates the table at the same time', async () => {
    says('DescribeTable', 'b', 'ResourceNotFoundException', described('b', 'ACTIVE'));
    says('CreateTable', 'b', 'ResourceInUseException');
    const steps: string[] = [];
    await provisionTables(client, tables, (step) => steps.push(step));
    expect(steps).toContain('b: already there');
    expect(steps).toContain('b: active');
  });

  it.each([
    ['DescribeTable', 'e'],
    ['CreateTable', 'e'],
    ['DescribeTimeToLive', 'b'],
    ['UpdateTimeToLive', 'b'],
    ['DescribeContinuousBackups', 'e'],
    ['UpdateContinuousBackups', 'e'],
  ])('ends with what DynamoDB said when %s is refused', async (operation, table) => {
    if (operation === 'CreateTable') says('DescribeTable', table, 'ResourceNotFoundException');
    if (operation === 'UpdateTimeToLive') says('DescribeTimeToLive', table, {});
    if (operation === 'UpdateContinuousBackups') says('DescribeContinuousBackups', table, {});
    says(operation, table, 'AccessDeniedException');
    const error: unknown = await provisionTables(client, tables).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(TableError);
    expect(error).toMatchObject({ code: 'TABLE', tableName: table });
    expect((error as TableError).message).toContain('could not be asked about it: AccessDeniedException');
    if (operation === 'DescribeTable') expect(askedFor('CreateTable', table)).toEqual([]);
  });

  it.each<[string, Answer, boolean]>([
    ['nobody has switched it on', { TimeToLiveDescription: { TimeToLiveStatus: 'DISABLED' } }, true],
    ['it is being switched off', { TimeToLiveDescription: { TimeToLiveStatus: 'DISABLING' } }, true],
    ['DynamoDB tells no status', { TimeToLiveDescription: {} }, true],
    ['DynamoDB tells nothing', {}, true],
    ['it is being switched on', { TimeToLiveDescription: { TimeToLiveStatus: 'ENABLING' } }, false],
  ])('switches expiry on where %s: %j', async (_, answer, on) => {
    says('DescribeTimeToLive', 'b', answer);
    await provisionTables(client, tables);
    const TimeToLiveSpecification = { AttributeName: 'expiresAt', Enabled: true };
    expect(askedFor('UpdateTimeToLive', 'b').map(({ body }) => body)).toEqual(
      on ? [{ TableName: 'b', TimeToLiveSpecification }] : [],
    );
  });

  it('goes on where another process switches expiry on at the same time', async () => {
    says('DescribeTimeToLive', 'b', {});
    says('UpdateTimeToLive', 'b', 'ValidationException');
    await expect(provisionTables(client, tables)).resolves.toBeUndefined();
  });

  it.each<[string, Answer]>([
    ['it is off', { ContinuousBackupsDescription: { PointInTimeRecoveryDescription: {} } }],
    ['DynamoDB tells nothing of it', { ContinuousBackupsDescription: {} }],
    ['DynamoDB tells nothing', {}],
  ])('asks for point-in-time recovery where %s', async (_, answer) => {
    says('DescribeContinuousBackups', 'e', answer);
    await provisionTables(client, tables);
    const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
    expect(askedFor('UpdateContinuousBackups', 'e').map(({ body }) => body)).toEqual([
      { TableName: 'e', PointInTimeRecoverySpecification },
    ]);
  });

  it.each(['ContinuousBackupsUnavailableException', 'UnknownOperationException'])(
    'leaves point-in-time recovery for later after %s',
    async (failure) => {
      says('DescribeContinuousBackups', 'e', failure);
      await expect(provisionTables(client, tables)).resolves.toBeUndefined();
      expect(askedFor('UpdateContinuousBackups', 'e')).toEqual([]);
    },
  );

  it('refuses a table whose index has another key, and names both keys', async () => {
    const { Table } = described('e', 'ACTIVE') as { Table: { GlobalSecondaryIndexes: object[] } };
    const [, ...others] = Table.GlobalSecondaryIndexes;
    const feed = { IndexName: 'feed', KeySchema: [{ AttributeName: 'feedSlice', KeyType: 'HASH' }] };
    says('DescribeTable', 'e', { Table: { ...Table, GlobalSecondaryIndexes: [feed, ...others] } });
    const error = await provisionTables(client, tables).catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      faults: ['the key of its index "feed" is feedSlice (S), and must be feedSlice (S), feedPosition (S)'],
    });
    expect((error as TableError).message).toContain('this table was made for something else');
  });

  it('refuses a table that DynamoDB says nothing of but its status', async () => {
    says('DescribeTable', 'b', { Table: { TableStatus: 'ACTIVE' } });
    await expect(provisionTables(client, tables)).rejects.toMatchObject({
      faults: ['its key is , and must be pk (S), sk (S)'],
    });
  });
});

describe('a new table', () => {
  const [events, bookkeeping] = definitions.map(createTableInput);

  it('has a stream for events alone', () => {
    expect(events!.StreamSpecification).toEqual({ StreamEnabled: true, StreamViewType: 'NEW_IMAGE' });
    expect(bookkeeping!.StreamSpecification).toBeUndefined();
  });

  it('carries no attribute into an index twice', () => {
    for (const { KeySchema, Projection } of events!.GlobalSecondaryIndexes!) {
      const keys = [...KeySchema!, ...events!.KeySchema!].map(({ AttributeName }) => AttributeName!);
      const carried = [...keys, ...Projection!.NonKeyAttributes!];
      expect(new Set(carried).size).toBe(carried.length);
      expect(carried).toContain('eventTime');
    }
  });
});
