import { ConsoleLogger, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { CommandBus, CqrsModule } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { EventStoreModule, type Class, type EventStoreModuleOptions } from '../../src/index.js';
import { newClient, newTableNames, recordRequests } from './database.js';

export type Storage = 'memory' | 'dynamodb';

export interface Application {
  readonly module: TestingModule;
  readonly commands: CommandBus;
  /** Names of the requests sent to DynamoDB; none for the in-memory store. */
  readonly requests: string[];
  close(): Promise<void>;
}

export interface ApplicationParts {
  readonly features: readonly Class[];
  readonly providers?: Provider[];
  readonly imports?: DynamicModule[];
  readonly options?: EventStoreModuleOptions;
}

@Module({})
class FeatureModule {}

/** A Nest application with the event store, on tables of its own. */
export async function startApplication(storage: Storage, parts: ApplicationParts): Promise<Application> {
  const { features, providers = [], imports = [], options } = parts;
  const client = newClient();
  const store: EventStoreModuleOptions =
    storage === 'memory' ? { storage } : { client, tables: newTableNames(), provision: true };
  const module = await Test.createTestingModule({
    imports: [
      CqrsModule.forRoot(),
      EventStoreModule.forRoot({ ...store, ...options }),
      { module: FeatureModule, imports: [EventStoreModule.forFeature(features), ...imports], providers },
    ],
  })
    .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
    .compile();
  await module.init();
  const requests = recordRequests(client);
  return {
    module,
    commands: module.get(CommandBus, { strict: false }),
    requests,
    close: async () => {
      await module.close();
      client.destroy();
    },
  };
}
