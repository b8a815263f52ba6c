import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type CreateTableCommandInput,
  type DynamoDBClient,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb';
import { Test } from '@nestjs/testing';
import { CqrsModule } from '@nestjs/cqrs';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  EventStoreModule,
  provisionTables,
  TableError,
  type EventStoreModuleOptions,
  type TableNames,
} from '../../src/index.js';
import { bookkeepingTable, createTableInput, eventsTable } from '../../src/dynamodb/table.js';
import { clientConfig, newClient, newTableNames } from '../setup/database.js';

describe('tables', () => {
  let client: DynamoDBClient;

  beforeAll(() => {
    client = newClient();
  });

  afterAll(() => client.destroy());

  const describeTable = async (name: string) =>
    (await client.send(new DescribeTableCommand({ TableName: name }))).Table!;

  async function expectProvisioned(tables: TableNames): Promise<void> {
    const events = await describeTable(tables.events);
    expect(events.TableStatus).toBe('ACTIVE');
    expect(events.BillingModeSummary?.BillingMode).toBe('PAY_PER_REQUEST');
    expect(events.StreamSpecification).toEqual({ StreamEnabled: true, StreamViewType: 'NEW_IMAGE' });
    expect(events.GlobalSecondaryIndexes!.map(({ IndexName }) => IndexName).toSorted()).toEqual([
      'feed',
      'tenant',
      'user',
    ]);
    for (const { Projection } of events.GlobalSecondaryIndexes!) {
      expect(Projection!.NonKeyAttributes!.length).toBeLessThanOrEqual(20);
      expect(Projection!.NonKeyAttributes).not.toContain('state');
    }
    const expiry = await client.send(new DescribeTimeToLiveCommand({ TableName: tables.bookkeeping }));
    expect(expiry.TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expiresAt' });
  }

  it('are created with on-demand capacity, streams, indexes and expiry, and asked to be recoverable and protected', async () => {
    const tables = newTableNames();
    const steps: string[] = [];
    await provisionTables(client, tables, (step) => steps.push(step));
    await expectProvisioned(tables);
    expect(steps).toContain(`${tables.events}: created, waiting until it is active`);
    expect(createTableInput(eventsTable('e')).DeletionProtectionEnabled).toBe(true);
  });

  it('get point-in-time recovery where the endpoint has it, which DynamoDB Local has not', async () => {
    const recoverable = newClient();
    const asked: object[] = [];
    const disabled = { PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: 'DISABLED' } };
    recoverable.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (!commandName!.includes('ContinuousBackups')) return next(args);
          if (commandName!.startsWith('Update')) asked.push(args.input);
          return { response: {}, output: { $metadata: {}, ContinuousBackupsDescription: disabled } } as never;
        },
      { step: 'deserialize', priority: 'high', name: 'backups' },
    );
    const tables = newTableNames();
    await provisionTables(recoverable, tables);
    const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
    expect(asked).toHaveLength(2);
    for (const TableName of Object.values(tables) as string[]) {
      expect(asked).toContainEqual({ TableName, PointInTimeRecoverySpecification });
    }
    recoverable.destroy();
  });

  it('are created once by several callers at once, and left alone afterwards', async () => {
    const tables = newTableNames();
    await Promise.all([1, 2, 3].map(() => provisionTables(client, tables)));
    const { CreationDateTime } = await describeTable(tables.events);
    await provisionTables(client, tables);
    expect((await describeTable(tables.events)).CreationDateTime).toEqual(CreationDateTime);
    await expectProvisioned(tables);
  });

  it('are completed where one of them is there', async () => {
    const tables = newTableNames();
    await client.send(new CreateTableCommand(createTableInput(bookkeepingTable(tables.bookkeeping))));
    await provisionTables(client, tables);
    await expectProvisioned(tables);
  });

  const boot = async (options: EventStoreModuleOptions) => {
    const module = await Test.createTestingModule({
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(options)],
    }).compile();
    await module.init();
    await module.close();
  };

  it('that are missing stop the start with their name and the command that creates them', async () => {
    const tables = newTableNames();
    const attempt = boot({ clientConfig: clientConfig(), tables });
    await expect(attempt).rejects.toThrow(TableError);
    await expect(attempt).rejects.toThrow(
      `Table "${tables.events}": it does not exist. Check the names in tables of EventStoreModule, or create the tables with: npx nestjs-dynamodb-event-store create-tables --events ${tables.events} --bookkeeping ${tables.bookkeeping}`,
    );
    await provisionTables(client, tables);
    await expect(boot({ clientConfig: clientConfig(), tables })).resolves.toBeUndefined();
  });

  const without =
    (index: string, ...attributes: string[]) =>
    (input: CreateTableCommandInput): CreateTableCommandInput => ({
      ...input,
      AttributeDefinitions: input.AttributeDefinitions!.filter(
        ({ AttributeName: name }) => !attributes.includes(name!),
      ),
      GlobalSecondaryIndexes: input.GlobalSecondaryIndexes!.filter(({ IndexName: name }) => name !== index),
    });

  it.each<[string, (input: CreateTableCommandInput) => CreateTableCommandInput, string]>([
    [
      'another key',
      (input) => ({
        ...input,
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        GlobalSecondaryIndexes: undefined,
      }),
      'its key is id (S), and must be pk (S), sk (N)',
    ],
    [
      'a sort key of another type',
      (input) => ({
        ...input,
        AttributeDefinitions: input.AttributeDefinitions!.map((a) =>
          a.AttributeName === 'sk' ? { ...a, AttributeType: 'S' } : a,
        ),
      }),
      'its key is pk (S), sk (S), and must be pk (S), sk (N)',
    ],
    ['no user index', without('user', 'userKey', 'eventTime'), 'its index "user" is missing'],
    ['no tenant index', without('tenant', 'tenantSlice'), 'its index "tenant" is missing'],
  ])('with %s stop the start and say what is wrong', async (_, spoil, fault) => {
    const tables = newTableNames();
    await client.send(new CreateTableCommand(spoil(createTableInput(eventsTable(tables.events)))));
    for (const provision of [true, false]) {
      const attempt = boot({ clientConfig: clientConfig(), tables, provision });
      await expect(attempt).rejects.toThrow(TableError);
      await expect(attempt).rejects.toThrow(`Table "${tables.events}": ${fault}`);
    }
  });

  it('that cannot be asked about stop the start with what to check', async () => {
    const nobody = { ...clientConfig(), endpoint: 'http://127.0.0.1:1', maxAttempts: 1 };
    for (const provision of [true, false]) {
      const attempt = boot({ clientConfig: nobody, tables: newTableNames(), provision });
      await expect(attempt).rejects.toThrow(TableError);
      await expect(attempt).rejects.toThrow(/could not be asked.*Check endpoint, region and credentials/);
    }
  });

  describe('that nobody answers about', () => {
    const silent = createServer(() => {});

    beforeAll(() => new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve)));

    afterAll(() => {
      silent.closeAllConnections();
      silent.close();
    });

    const endpoint = () => `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;

    it.each<[string, boolean, () => DynamoDBClientConfig]>([
      ['their server', false, () => ({ ...clientConfig(), endpoint: endpoint() })],
      ['their server', true, () => ({ ...clientConfig(), endpoint: endpoint() })],
      ['the provider of credentials', false, () => ({ ...clientConfig(), credentials: () => new Promise(() => {}) })],
      ['the provider of credentials', true, () => ({ ...clientConfig(), credentials: () => new Promise(() => {}) })],
    ])('as %s is silent stop the start after 10 s, with provision: %s', async (_, provision, config) => {
      const setTimer = globalThis.setTimeout;
      const timers = jest
        .spyOn(globalThis, 'setTimeout')
        .mockImplementation(((run: () => void, milliseconds?: number) =>
          setTimer(run, milliseconds === 10_000 ? 300 : milliseconds)) as typeof setTimeout);
      try {
        const attempt = boot({ clientConfig: config(), tables: newTableNames(), provision });
        const never = new Promise((resolve) => setTimer(resolve, 5000));
        await expect(Promise.race([attempt, never])).rejects.toThrow(TableError);
        await expect(attempt).rejects.toThrow('could not be asked about it: TimeoutError (No answer in 10000 ms.)');
      } finally {
        timers.mockRestore();
      }
    });
  });

  it('are created by the command line, also by two processes at once', async () => {
    const tables = newTableNames();
    const env = {
      ...process.env,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    };
    const run = (...args: string[]) => promisify(execFile)(process.execPath, ['dist/cli/main.js', ...args], { env });
    const { stdout } = await run('create-tables', '--events', tables.events, '--bookkeeping', tables.bookkeeping);
    expect(stdout).toContain(`${tables.events}: active`);
    await expectProvisioned(tables);
    const others = newTableNames();
    const both = ['create-tables', '--events', others.events, '--bookkeeping', others.bookkeeping];
    await Promise.all([run(...both), run(...both)]);
    await expectProvisioned(others);
    await expect(run('create-tables', '--events', 'x')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Usage'),
    });
    expect((await run('--help')).stdout).toContain('create-tables');
  });
});
