import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { Module, type DynamicModule } from '@nestjs/common';
import { AccountBalances } from './account-balances.js';
import { createAccountViewTables, type AccountViewDatabase } from './account-view-tables.js';
import { ACCOUNT_VIEW_CLIENT, ACCOUNT_VIEW_TABLES } from './account-view-tokens.js';
import { AccountViews } from './account-views.js';
import { AccountViewsController } from './account-views.controller.js';

/** Balances and statements in DynamoDB. It needs one: transactions of a projection are for its tables only. */
@Module({})
export class AccountViewsModule {
  static on(database: AccountViewDatabase): DynamicModule {
    return {
      module: AccountViewsModule,
      controllers: [AccountViewsController],
      providers: [
        AccountBalances,
        AccountViews,
        { provide: ACCOUNT_VIEW_CLIENT, useFactory: () => DynamoDBDocumentClient.from(database.client) },
        {
          provide: ACCOUNT_VIEW_TABLES,
          useFactory: async () => {
            await createAccountViewTables(database);
            return database.tables;
          },
        },
      ],
      exports: [AccountViews],
    };
  }
}
