import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import {
  AggregateRepository,
  CommandContext,
  EventRegistry,
  EventStore,
  EventStoreModule,
  getAggregateRepositoryToken,
  type CommandContextValues,
  type EventStoreModuleOptions,
  type StreamId,
} from '../../../src/index.js';
import { eventFrom, LEDGERS, newLedger, type EventPlan, type Ledger } from './ledger.js';

/** A Nest application with the ledgers, and what the commands of the model check need of it. */
export interface LedgerApplication {
  readonly store: EventStore;
  readonly registry: EventRegistry;
  readonly commands: CommandBus;
  repositoryOf(aggregateType: string): AggregateRepository<Ledger>;
  close(): Promise<void>;
}

export interface Entry {
  readonly stream: StreamId;
  readonly events: readonly EventPlan[];
}

/** Writes events into several ledgers in one unit of work. */
export class RecordInLedgers {
  constructor(
    readonly entries: readonly Entry[],
    /** The handler fails after all has been applied. */
    readonly fails: boolean,
  ) {}
}

export class HandlerFailedError extends Error {
  override readonly name = 'HandlerFailedError';
  readonly code = 'HANDLER_FAILED';
}

export async function startLedgers(options: EventStoreModuleOptions): Promise<LedgerApplication> {
  const repositoryOf = (aggregateType: string) => repositories.get(aggregateType)!;

  @CommandHandler(RecordInLedgers)
  class RecordInLedgersHandler implements ICommandHandler<RecordInLedgers> {
    async execute({ entries, fails }: RecordInLedgers): Promise<void> {
      for (const { stream, events } of entries) {
        await inTenant(stream, async () => {
          const repository = repositoryOf(stream.aggregateType);
          let ledger = await repository.find(stream.aggregateId);
          if (!ledger) repository.add((ledger = newLedger(stream)));
          for (const plan of events) ledger.apply(eventFrom(plan));
        });
      }
      if (fails) throw new HandlerFailedError('As asked.');
    }
  }

  @Module({
    imports: [
      CqrsModule.forRoot(),
      EventStoreModule.forRoot({ ...options, snapshots: { wait: true } }),
      EventStoreModule.forFeature([...LEDGERS.values()]),
    ],
    providers: [RecordInLedgersHandler],
  })
  class LedgerModule {}

  const application: INestApplicationContext = await NestFactory.createApplicationContext(LedgerModule, {
    logger: false,
    abortOnError: false,
  });
  const repositories = new Map(
    [...LEDGERS].map(([aggregateType, ledger]) => [
      aggregateType,
      application.get<AggregateRepository<Ledger>>(getAggregateRepositoryToken(ledger), { strict: false }),
    ]),
  );
  return {
    store: application.get(EventStore, { strict: false }),
    registry: application.get(EventRegistry, { strict: false }),
    commands: application.get(CommandBus, { strict: false }),
    repositoryOf,
    close: () => application.close(),
  };
}

/** Runs what uses a repository for the tenant of a stream. */
export function inTenant<T>({ tenantId }: StreamId, run: () => T, values: CommandContextValues = {}): T {
  return CommandContext.run({ ...values, ...(tenantId !== undefined && { tenantId }) }, run);
}
