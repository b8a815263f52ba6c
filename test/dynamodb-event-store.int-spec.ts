import { DynamoDbEventStore, provisionTables } from '../src/index.js';
import { eventStoreContract } from './contract/event-store-contract.js';
import { newClient, newTableNames } from './setup/database.js';

eventStoreContract('DynamoDbEventStore', async (registry) => {
  const client = newClient();
  const tables = newTableNames();
  await provisionTables(client, tables);
  return {
    store: new DynamoDbEventStore({ client, tables, registry, deadlineMs: 10_000 }),
    close: async () => client.destroy(),
  };
});
