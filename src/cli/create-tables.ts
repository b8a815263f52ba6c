import { DynamoDbConnection } from '../dynamodb/dynamodb-connection.js';
import { provisionTables } from '../dynamodb/provision.js';
import type { TableNames } from '../dynamodb/table.js';

export interface CreateTables {
  readonly tables: TableNames;
  readonly endpoint?: string;
  readonly region?: string;
}

export async function createTables(
  { tables, endpoint, region }: CreateTables,
  onStep: (step: string) => void,
): Promise<void> {
  const connection = new DynamoDbConnection({
    clientConfig: { ...(endpoint && { endpoint }), ...(region && { region }) },
  });
  try {
    await provisionTables(connection.client, tables, onStep);
  } finally {
    connection.close();
  }
}
