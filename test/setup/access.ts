import type { AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { allows, type IamPolicy, type IamRequest } from './iam-policy.js';

/** What IAM decides about: a request is one of these, or one for each item of a transaction. */
export interface Access {
  readonly action: string;
  readonly resource: string;
  /** Partition keys that it names, of the table or the index; undefined where it names none, as a Scan. */
  readonly leadingKeys?: readonly string[];
}

type Key = Readonly<Record<string, AttributeValue>>;

interface Target {
  readonly TableName?: string;
  readonly IndexName?: string;
  readonly Item?: Key;
  readonly Key?: Key;
  readonly KeyConditionExpression?: string;
  readonly ExpressionAttributeValues?: Key;
}

const TRANSACTION_ACTIONS = {
  Put: 'PutItem',
  Delete: 'DeleteItem',
  Update: 'UpdateItem',
  ConditionCheck: 'ConditionCheckItem',
} as const;

type TransactionItem = Readonly<Partial<Record<keyof typeof TRANSACTION_ACTIONS, Target>>>;

const KEYED = ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'];
const UNKEYED = [
  'Scan',
  'CreateTable',
  'DeleteTable',
  'DescribeTable',
  'UpdateTable',
  'DescribeTimeToLive',
  'UpdateTimeToLive',
  'DescribeContinuousBackups',
  'UpdateContinuousBackups',
];

export function tableArn(tableName: string): string {
  return `arn:aws:dynamodb:eu-central-1:123456789012:table/${tableName}`;
}

/** @param input as it is sent, with the types of its values */
export function accessesOf(operation: string, input: object): Access[] {
  if (operation !== 'TransactWriteItems') return [accessOf(operation, input)];
  // The action TransactWriteItems does not exist: each item needs the action of its own kind.
  return (input as { TransactItems: readonly TransactionItem[] }).TransactItems.map((item) => {
    const [[kind, target]] = Object.entries(item) as [[keyof typeof TRANSACTION_ACTIONS, Target]];
    return accessOf(TRANSACTION_ACTIONS[kind], target);
  });
}

function accessOf(operation: string, target: Target): Access {
  const { TableName, IndexName } = target;
  const resource = tableArn(TableName!) + (IndexName === undefined ? '' : `/index/${IndexName}`);
  const leadingKeys = leadingKeysOf(operation, target);
  return { action: `dynamodb:${operation}`, resource, ...(leadingKeys && { leadingKeys }) };
}

function leadingKeysOf(operation: string, target: Target): readonly string[] | undefined {
  if (UNKEYED.includes(operation)) return undefined;
  if (operation === 'Query') {
    const [, placeholder] = /^\w+ = (:\w+)(?: AND |$)/.exec(target.KeyConditionExpression!)!;
    return [target.ExpressionAttributeValues![placeholder!]!.S!];
  }
  if (!KEYED.includes(operation)) throw new Error(`It is not known what ${operation} needs.`);
  // Tables of an application have keys of their own.
  const { pk } = (target.Item ?? target.Key)!;
  return pk && [pk.S!];
}

/** What IAM sees of an access, by a session with these tags. */
export function iamRequest(
  { action, resource, leadingKeys }: Access,
  tags: Readonly<Record<string, string>> = {},
): IamRequest {
  const tagged = Object.entries(tags).map(([name, value]) => [`aws:PrincipalTag/${name}`, value]);
  return {
    action,
    resource,
    context: { ...Object.fromEntries(tagged), ...(leadingKeys && { 'dynamodb:LeadingKeys': leadingKeys }) },
  };
}

export function isAllowed(
  policies: readonly IamPolicy[],
  access: Access,
  tags?: Readonly<Record<string, string>>,
): boolean {
  return allows(policies, iamRequest(access, tags));
}

/** What a client has asked for, and what of that was refused. */
export interface Watched {
  readonly accesses: Access[];
  readonly refused: Access[];
}

/** Stands before DynamoDB, as IAM does, and refuses what may not be. */
export function guard(client: DynamoDBClient, mayDo: (access: Access) => boolean): Watched {
  const watched: Watched = { accesses: [], refused: [] };
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const accesses = accessesOf(commandName!.replace(/Command$/, ''), args.input);
        const refused = accesses.filter((access) => !mayDo(access));
        watched.accesses.push(...accesses);
        watched.refused.push(...refused);
        if (refused.length > 0) throw accessDenied(refused[0]!);
        return next(args);
      },
    { step: 'deserialize', priority: 'high', name: 'guard' },
  );
  return watched;
}

function accessDenied({ action, resource }: Access): Error {
  return Object.assign(new Error(`Not authorized to perform ${action} on ${resource}`), {
    name: 'AccessDeniedException',
    __type: 'com.amazon.coral.service#AccessDeniedException',
    $fault: 'client',
    $metadata: { httpStatusCode: 400 },
  });
}
