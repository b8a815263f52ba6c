import { Module, type DynamicModule } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import {
  CommandContextInterceptor,
  EventStoreModule,
  type CommandContextSources,
  type EventStoreModuleOptions,
} from 'nestjs-dynamodb-event-store';
import type { AccountViewDatabase } from './bank/account-view-tables.js';
import { AccountViewsModule } from './bank/account-views.module.js';
import { BankModule } from './bank/bank.module.js';
import { PageController } from './page/page.controller.js';
import { PermitOfficeModule } from './permit-office/permit-office.module.js';
import { UsersModule } from './users/users.module.js';

interface Request {
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Here a header says who sends a request; an application of yours asks its authentication. */
const commandContext: CommandContextSources = {
  userId: ({ headers }: Request) => headers['x-user-id'] || undefined,
};

/** The whole application: one event store, and the features that use it. */
@Module({})
export class AppModule {
  static on(eventStore: EventStoreModuleOptions, accountViews?: AccountViewDatabase): DynamicModule {
    return {
      module: AppModule,
      imports: [
        CqrsModule.forRoot(),
        EventStoreModule.forRoot({ ...eventStore, commandContext }),
        BankModule,
        ...(accountViews ? [AccountViewsModule.on(accountViews)] : []),
        PermitOfficeModule,
        UsersModule,
      ],
      controllers: [PageController],
      // Puts user, correlation id and idempotency key of each request into the context of its commands.
      providers: [{ provide: APP_INTERCEPTOR, useClass: CommandContextInterceptor }],
    };
  }
}
