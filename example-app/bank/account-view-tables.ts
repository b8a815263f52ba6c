import {
  CreateTableCommand,
  waitUntilTableExists,
  type AttributeDefinition,
  type CreateTableCommandInput,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';

/** The tables of the account views, which are the application's own. */
export interface AccountViewTables {
  /** An item for each account, by `id`. */
  readonly balances: string;
  /** An item for each movement, by `accountId` and `version`. */
  readonly statements: string;
}

/** Where the account views are kept. */
export interface AccountViewDatabase {
  readonly client: DynamoDBClient;
  readonly tables: AccountViewTables;
}

const ACTIVE_WITHIN_S = 60;

/** Creates the tables that are missing. Views can be built anew from the events at any time, so nothing protects them. */
export async function createAccountViewTables({ client, tables }: AccountViewDatabase): Promise<void> {
  await Promise.all([
    createTable(client, tables.balances, { AttributeName: 'id', AttributeType: 'S' }),
    createTable(
      client,
      tables.statements,
      { AttributeName: 'accountId', AttributeType: 'S' },
      { AttributeName: 'version', AttributeType: 'N' },
    ),
  ]);
}

async function createTable(
  client: DynamoDBClient,
  tableName: string,
  partitionKey: AttributeDefinition,
  sortKey?: AttributeDefinition,
): Promise<void> {
  const input: CreateTableCommandInput = {
    TableName: tableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [partitionKey, ...(sortKey ? [sortKey] : [])],
    KeySchema: [
      { AttributeName: partitionKey.AttributeName, KeyType: 'HASH' },
      ...(sortKey ? [{ AttributeName: sortKey.AttributeName, KeyType: 'RANGE' } as const] : []),
    ],
  };
  try {
    await client.send(new CreateTableCommand(input));
  } catch (error) {
    // It is there from an earlier start, or another process was first.
    if ((error as Error).name !== 'ResourceInUseException') throw error;
  }
  await waitUntilTableExists({ client, minDelay: 1, maxWaitTime: ACTIVE_WITHIN_S }, { TableName: tableName });
}
