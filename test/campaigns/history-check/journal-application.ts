import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import {
  AggregateRepository,
  EventRegistry,
  EventStoreModule,
  getAggregateRepositoryToken,
  type TableNames,
} from '../../../src/index.js';
import { JOURNAL_CLASSES, journalClassOf, type Journal } from './journal.js';

@Module({})
class JournalModule {}

export interface JournalApplication {
  readonly registry: EventRegistry;
  journals(journal: number): AggregateRepository<Journal>;
  close(): Promise<void>;
}

export interface JournalApplicationOptions {
  readonly client: DynamoDBClient;
  readonly tables: TableNames;
  readonly deadlineMs: number;
}

export async function startJournals(options: JournalApplicationOptions): Promise<JournalApplication> {
  const root = {
    module: JournalModule,
    imports: [
      CqrsModule.forRoot(), // The tables are there; but a mere check of them would have to be over by a deadline that is short on purpose.
      EventStoreModule.forRoot({ ...options, provision: true }),
      EventStoreModule.forFeature(JOURNAL_CLASSES),
    ],
  };
  const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  return {
    registry: application.get(EventRegistry, { strict: false }),
    journals: (journal) => application.get(getAggregateRepositoryToken(journalClassOf(journal)), { strict: false }),
    close: () => application.close(),
  };
}
