import type { AttributeDefinition, CreateTableCommandInput } from '@aws-sdk/client-dynamodb';

/**
 * The single truth about keys, attributes and indexes of the two tables. Attribute names never change: items that
 * past releases wrote have them.
 */

/** Names of the two tables. */
export interface TableNames {
  /** Events and snapshots. */
  readonly events: string;
  /** Checkpoints, leases, reservations: what changes or expires. */
  readonly bookkeeping: string;
}

/**
 * Events: `pk` is the stream's key, `sk` the version of the item's event. A snapshot lies in the same partition
 * above every version, so that one backward query brings it together with the newest events.
 */
export const SNAPSHOT_SORT_KEY = Number.MAX_SAFE_INTEGER;

/** All events of an aggregate type by time, in slices, as one index partition takes 1,000 writes a second. */
export const FEED_INDEX = {
  name: 'feed',
  partitionKey: 'feedSlice',
  sortKey: 'feedPosition',
  tenantFirst: false,
} as const;
export const FEED_SLICES = 4;

/**
 * The same for one tenant, named first in the key, so that `dynamodb:LeadingKeys` can keep tenants apart. Sparse: only
 * events with a tenant are in it.
 */
export const TENANT_INDEX = {
  name: 'tenant',
  partitionKey: 'tenantSlice',
  sortKey: 'feedPosition',
  tenantFirst: true,
} as const;

/** All events that a user caused, by time. Sparse: only events with a userId are in it. */
export const USER_INDEX = { name: 'user', partitionKey: 'userKey', sortKey: 'eventTime', tenantFirst: true } as const;

/** When DynamoDB may delete a bookkeeping item, in seconds since 1970. */
export const EXPIRY_ATTRIBUTE = 'expiresAt';

/** What the indexes carry beside keys: all of an event, and not the state that may travel in its item. */
const EVENT_ATTRIBUTES = [
  'aggregateId',
  'aggregateType',
  'causationId',
  'checksum',
  'commandId',
  'commitId',
  'commitIndex',
  'commitSize',
  'correlationId',
  'encoding',
  'eventData',
  'eventId',
  'eventType',
  'metadata',
  'schemaVersion',
  'tenantId',
  'userId',
  'version',
] as const;

interface KeySchema {
  readonly partitionKey: string;
  readonly sortKey: string;
}

interface IndexDefinition extends KeySchema {
  readonly name: string;
  /** Whether its partition key begins with the tenant, as those of both tables do. */
  readonly tenantFirst: boolean;
}

/** A table as it must be: also what an existing one is compared with. */
export interface TableDefinition {
  readonly tableName: string;
  readonly key: KeySchema;
  readonly indexes: readonly IndexDefinition[];
  readonly attributeTypes: Readonly<Record<string, 'S' | 'N'>>;
  readonly streamed: boolean;
  readonly expires: boolean;
}

export function eventsTable(tableName: string): TableDefinition {
  return {
    tableName,
    key: { partitionKey: 'pk', sortKey: 'sk' },
    indexes: [FEED_INDEX, TENANT_INDEX, USER_INDEX],
    attributeTypes: {
      pk: 'S',
      sk: 'N',
      feedSlice: 'S',
      tenantSlice: 'S',
      feedPosition: 'S',
      userKey: 'S',
      eventTime: 'S',
    },
    streamed: true,
    expires: false,
  };
}

export function bookkeepingTable(tableName: string): TableDefinition {
  return {
    tableName,
    key: { partitionKey: 'pk', sortKey: 'sk' },
    indexes: [],
    attributeTypes: { pk: 'S', sk: 'S' },
    streamed: false,
    expires: true,
  };
}

export function tableDefinitions(tables: TableNames): readonly TableDefinition[] {
  return [eventsTable(tables.events), bookkeepingTable(tables.bookkeeping)];
}

export function createTableInput(table: TableDefinition): CreateTableCommandInput {
  return {
    TableName: table.tableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: Object.entries(table.attributeTypes).map(
      ([AttributeName, AttributeType]): AttributeDefinition => ({ AttributeName, AttributeType }),
    ),
    KeySchema: keySchema(table.key),
    ...(table.indexes.length > 0 && {
      GlobalSecondaryIndexes: table.indexes.map((index) => ({
        IndexName: index.name,
        KeySchema: keySchema(index),
        Projection: {
          ProjectionType: 'INCLUDE' as const,
          NonKeyAttributes: [...EVENT_ATTRIBUTES, ...(index.sortKey === 'eventTime' ? [] : ['eventTime'])],
        },
      })),
    }),
    ...(table.streamed && { StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' as const } }),
    DeletionProtectionEnabled: true,
  };
}

function keySchema({ partitionKey, sortKey }: KeySchema) {
  return [
    { AttributeName: partitionKey, KeyType: 'HASH' as const },
    { AttributeName: sortKey, KeyType: 'RANGE' as const },
  ];
}
