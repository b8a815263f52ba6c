import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { EventStoreModule, TableError, type SubscriptionOptions, type TableNames } from '../../../src/index.js';
import { clientFor } from '../tables.js';
import { Totals, TOTALS_TABLE } from './totals.js';

export interface WorkerJob {
  readonly endpoint: string;
  readonly tables: TableNames;
  readonly totals: string;
  readonly deadlineMs: number;
  readonly timing: SubscriptionOptions;
}

/** Says that it runs, and then works until it is killed. */
export async function runWorker(job: WorkerJob, say: (message: 'running') => void): Promise<void> {
  const { endpoint, tables, totals, deadlineMs, timing } = job;
  const client = clientFor(endpoint);
  @Module({
    imports: [CqrsModule.forRoot(), EventStoreModule.forRoot({ client, tables, deadlineMs, subscriptions: timing })],
    providers: [Totals, { provide: TOTALS_TABLE, useValue: totals }],
  })
  class WorkerModule {}
  try {
    await NestFactory.createApplicationContext(WorkerModule, { logger: false, abortOnError: false });
  } catch (error) {
    // The check of the tables met a fault; another process begins.
    if (error instanceof TableError) return;
    throw error;
  }
  say('running');
  await new Promise(() => {});
}
