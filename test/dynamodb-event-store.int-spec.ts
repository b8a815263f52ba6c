import { DynamoDbEventStore, provisionTables } from '../src/index.js';
import { bookkeepingContract } from './contract/bookkeeping-contract.js';
import { eventStoreContract, type OpenStore } from './contract/event-store-contract.js';
import { queryContract } from './contract/query-contract.js';
import { newClient, newTableNames } from './setup/database.js';

const open: OpenStore = async (registry, tenants) => {
  const client = newClient();
  const tables = newTableNames();
  await provisionTables(client, tables);
  return {
    store: new DynamoDbEventStore({ client, tables, registry, deadlineMs: 10_000, ...tenants }),
    close: async () => client.destroy(),
  };
};

eventStoreContract('DynamoDbEventStore', open);
bookkeepingContract('DynamoDbEventStore', open);
queryContract('DynamoDbEventStore', open);
