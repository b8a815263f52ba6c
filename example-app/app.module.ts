import { Module, type DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { EventStoreModule, type EventStoreModuleOptions } from 'nestjs-dynamodb-event-store';
import { BankModule } from './bank/bank.module.js';
import { PermitOfficeModule } from './permit-office/permit-office.module.js';

/** The whole application: one event store, two features that use it. */
@Module({})
export class AppModule {
  static on(eventStore: EventStoreModuleOptions): DynamicModule {
    return {
      module: AppModule,
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(eventStore), BankModule, PermitOfficeModule],
    };
  }
}
