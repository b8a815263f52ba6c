import { CreateTableCommand } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { expect, it } from '@jest/globals';
import {
  ANY_VERSION,
  DynamoDbEventStore,
  EventRegistry,
  On,
  Projection,
  type ProjectionContext,
  provisionTables,
} from '../../src/index.js';
import { policyFor } from '../../src/dynamodb/policies.js';
import { guard, isAllowed, tableArn } from '../setup/access.js';
import { startApplication } from '../setup/application.js';
import { Account, MoneyDeposited } from '../setup/bank.js';
import { breakGlassClient, newTableNames } from '../setup/database.js';
import { until } from '../setup/until.js';

it('lets a process project the events of all tenants, and do nothing else with them', async () => {
  const tables = newTableNames();
  const view = tables.events.replace('events', 'view');
  const owner = breakGlassClient();
  await provisionTables(owner, tables);
  await owner.send(
    new CreateTableCommand({
      TableName: view,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    }),
  );
  @Projection('relayed')
  class Relayed {
    @On(MoneyDeposited) deposited({ amount }: MoneyDeposited, { recorded, transaction }: ProjectionContext): void {
      const { tenantId = '', aggregateId } = recorded.stream;
      transaction.put({ TableName: view, Item: { id: `${tenantId}/${aggregateId}`, amount } });
    }
  }
  const relay = policyFor('relay', { tables, scope: { kind: 'all-tenants' } });
  const client = breakGlassClient();
  const watched = guard(client, (access) => access.resource === tableArn(view) || isAllowed([relay], access));
  const subscriptions = { marginMs: 5, pollMs: 10, backtrackMs: 1500, leaseMs: 1500 };
  const application = await startApplication('dynamodb', {
    features: [Account],
    providers: [Relayed],
    options: { client, tables, provision: false, subscriptions },
  });
  const registry = new EventRegistry().register(MoneyDeposited);
  const store = new DynamoDbEventStore({ client: owner, tables, registry, deadlineMs: 10_000 });
  const account = { aggregateType: 'test-account', aggregateId: 'a' };
  for (const stream of [account, { ...account, tenantId: 'acme' }]) {
    await store.append(stream, [new MoneyDeposited(1), new MoneyDeposited(2)], { expectedVersion: ANY_VERSION });
  }
  const documents = DynamoDBDocumentClient.from(owner);
  for (const id of ['/a', 'acme/a']) {
    const get = new GetCommand({ TableName: view, Key: { id }, ConsistentRead: true });
    await until(async () => (await documents.send(get)).Item?.amount === 2);
  }
  await application.close();
  owner.destroy();
  expect(watched.refused).toEqual([]);
  expect(watched.accesses.length).toBeGreaterThan(10);
});
