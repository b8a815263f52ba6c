import { GetCommand, QueryCommand, ScanCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { Inject, Injectable } from '@nestjs/common';
import { ACCOUNT_VIEW_CLIENT, ACCOUNT_VIEW_TABLES } from './account-view-tokens.js';
import type { AccountViewTables } from './account-view-tables.js';

/** An account as the view shows it. */
export interface AccountBalance {
  readonly id: string;
  readonly owner: string;
  readonly alias: string | null;
  readonly cents: number;
  readonly isClosed: boolean;
  /** How many events of the account the view has seen. */
  readonly version: number;
}

/** A movement of money. */
export interface StatementLine {
  readonly version: number;
  readonly time: string;
  /** The name of the event. */
  readonly type: string;
  /** Below zero when they left the account. */
  readonly cents: number;
  readonly otherAccount: string | null;
  readonly user: string | null;
}

/** A part of a list: at most so many, behind the last one of the page before. */
export interface Page<After> {
  readonly limit: number;
  readonly after?: After | undefined;
}

/** Reads what the projection `account-balances` keeps. It is a second or so behind the events. */
@Injectable()
export class AccountViews {
  constructor(
    @Inject(ACCOUNT_VIEW_CLIENT) private readonly client: DynamoDBDocumentClient,
    @Inject(ACCOUNT_VIEW_TABLES) private readonly tables: AccountViewTables,
  ) {}

  /** Accounts in no order that means anything, each once over all pages. */
  async balances({ limit, after }: Page<string>): Promise<AccountBalance[]> {
    const { Items = [] } = await this.client.send(
      new ScanCommand({
        TableName: this.tables.balances,
        Limit: limit,
        ...(after !== undefined && { ExclusiveStartKey: { id: after } }),
      }),
    );
    return Items as AccountBalance[];
  }

  async balance(id: string): Promise<AccountBalance | undefined> {
    const { Item } = await this.client.send(new GetCommand({ TableName: this.tables.balances, Key: { id } }));
    return Item as AccountBalance | undefined;
  }

  /** The movements of an account, oldest first. */
  async statement(accountId: string, { limit, after }: Page<number>): Promise<StatementLine[]> {
    const { Items = [] } = await this.client.send(
      new QueryCommand({
        TableName: this.tables.statements,
        KeyConditionExpression: 'accountId = :accountId',
        ExpressionAttributeValues: { ':accountId': accountId },
        ExpressionAttributeNames: { '#time': 'time', '#type': 'type', '#user': 'user' },
        ProjectionExpression: 'version, #time, #type, cents, otherAccount, #user',
        Limit: limit,
        ...(after !== undefined && { ExclusiveStartKey: { accountId, version: after } }),
      }),
    );
    return Items as StatementLine[];
  }
}
