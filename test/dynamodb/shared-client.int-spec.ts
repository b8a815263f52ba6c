import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { afterEach, expect, it } from '@jest/globals';
import { DynamoDbEventStore, EventRegistry, provisionTables } from '../../src/index.js';
import { AccountOpened } from '../setup/bank.js';
import { collect } from '../setup/collect.js';
import { breakGlassClient, newTableNames } from '../setup/database.js';

const client = breakGlassClient();
afterEach(() => client.destroy());

it('leaves the document clients of the application on the same client as they are, and is left as it is', async () => {
  const tables = newTableNames();
  await provisionTables(client, tables);
  const options = { unmarshallOptions: { wrapNumbers: true } };
  const before = DynamoDBDocumentClient.from(client, options);
  const registry = new EventRegistry().register(AccountOpened);
  const store = new DynamoDbEventStore({ client, tables, registry, deadlineMs: 5000 });
  const get = new GetCommand({ TableName: tables.events, Key: { pk: '#account#a', sk: 1 } });
  const stream = { aggregateType: 'account', aggregateId: 'a' };
  await store.append(stream, [new AccountOpened('Ada')], { expectedVersion: 0 });
  const { Item: { version } = {} } = await before.send(get);
  expect(version).toEqual({ value: '1' });
  DynamoDBDocumentClient.from(client, options);
  expect((await collect(store.read(stream))).map((recorded) => recorded.version)).toEqual([1]);
});
