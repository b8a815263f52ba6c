import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CommandHandler, CqrsModule, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  CommandContext,
  EventStore,
  EventStoreModule,
  EventType,
  InjectAggregateRepository,
  On,
  type StreamId,
  type TableNames,
} from '../../../src/index.js';

/** How many streams a command with this number writes to, which its repeats must not do again. */
export const depotsOf = (number: number, depots: number): readonly string[] =>
  [[number % depots], [number % depots, (number + 1) % depots], []][number % 3]!.map((depot) => `depot-${depot}`);

export const streamOf = (depot: string): StreamId => ({ aggregateType: 'repeats-depot', aggregateId: depot });

@EventType('repeats.ParcelStored')
export class ParcelStored {
  constructor(
    readonly number: number,
    /** Made by the run of the handler that was stored; its result says the same one. */
    readonly token: string,
  ) {}
}

@Aggregate('repeats-depot')
class Depot extends AggregateRoot {
  store(number: number, token: string): void {
    this.apply(new ParcelStored(number, token));
  }

  @On(ParcelStored) protected onStored(): void {}
}

class StoreParcel {
  constructor(
    readonly number: number,
    readonly depots: readonly string[],
  ) {}
}

@CommandHandler(StoreParcel)
class StoreParcelHandler implements ICommandHandler<StoreParcel> {
  constructor(@InjectAggregateRepository(Depot) private readonly depots: AggregateRepository<Depot>) {}

  async execute({ number, depots }: StoreParcel): Promise<string> {
    const token = randomUUID();
    for (const id of depots) {
      const depot = (await this.depots.find(id)) ?? new Depot(id);
      depot.store(number, token);
      // A parcel is in one depot at a time, also where its command is repeated.
      if (depots.length === 1) depot.reserve('parcel', String(number));
      this.depots.add(depot);
    }
    return token;
  }
}

@Module({ providers: [StoreParcelHandler], imports: [EventStoreModule.forFeature([Depot])] })
class DepotModule {}

export interface Depots {
  readonly eventStore: EventStore;
  /** Sends the command of a number, whose key is the number; gives the token. */
  send(number: number, depots: number): Promise<string>;
  close(): Promise<void>;
}

export interface DepotOptions {
  readonly client: DynamoDBClient;
  readonly tables: TableNames;
  readonly deadlineMs: number;
}

export async function startDepots(options: DepotOptions): Promise<Depots> {
  const root = {
    module: class RepeatsModule {},
    imports: [CqrsModule.forRoot(), EventStoreModule.forRoot({ ...options, conflictRetries: 10 }), DepotModule],
  };
  const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  const commands = application.get(CommandBus, { strict: false });
  return {
    eventStore: application.get(EventStore, { strict: false }),
    send: (number, depots) =>
      CommandContext.run({ idempotencyKey: String(number) }, () =>
        commands.execute(new StoreParcel(number, depotsOf(number, depots))),
      ),
    close: () => application.close(),
  };
}
