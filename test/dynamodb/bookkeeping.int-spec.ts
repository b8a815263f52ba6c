import { provisionTables } from '../../src/index.js';
import { DynamoDbBookkeeping } from '../../src/dynamodb/dynamodb-bookkeeping.js';
import { positionContract } from '../contract/position-contract.js';
import { newClient, newTableNames } from '../setup/database.js';

positionContract('DynamoDbBookkeeping', async () => {
  const [client, tables] = [newClient(), newTableNames()];
  await provisionTables(client, tables);
  const bookkeeping = new DynamoDbBookkeeping({ client, tableName: tables.bookkeeping, deadlineMs: 10_000 });
  return { bookkeeping, close: async () => client.destroy() };
});
