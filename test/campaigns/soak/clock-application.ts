import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventsHandler,
  type ICommandHandler,
  type IEventHandler,
} from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  EventStoreModule,
  EventType,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  On,
  type TableNames,
} from '../../../src/index.js';

@EventType('soak.Ticked')
export class Ticked {
  constructor(
    readonly count: number,
    readonly note: string,
  ) {}
}

@Aggregate('soak-clock', { snapshotEvery: 20 })
export class Clock extends AggregateRoot {
  ticks = 0;

  tick(note: string): void {
    this.apply(new Ticked(this.ticks + 1, note));
  }

  @On(Ticked) protected onTicked({ count }: Ticked): void {
    this.ticks = count;
  }
}

/** Lets clocks tick together, so often. */
export class Tick {
  constructor(
    readonly clockIds: readonly string[],
    readonly times: number,
  ) {}
}

@CommandHandler(Tick)
class TickHandler implements ICommandHandler<Tick> {
  constructor(@InjectAggregateRepository(Clock) private readonly clocks: AggregateRepository<Clock>) {}

  async execute({ clockIds, times }: Tick): Promise<void> {
    for (const clockId of clockIds) {
      const clock = (await this.clocks.find(clockId)) ?? new Clock(clockId);
      for (let tick = 0; tick < times; tick++) clock.tick('tick '.repeat(20));
      if (clock.version === 0) this.clocks.add(clock);
    }
  }
}

/** Stands for what reacts to events, and keeps nothing. */
@EventsHandler(Ticked)
class TickedHandler implements IEventHandler<Ticked> {
  seen = 0;

  handle(): void {
    this.seen++;
  }
}

@Module({})
class SoakModule {}

export interface ClockApplication {
  readonly commands: CommandBus;
  readonly clocks: AggregateRepository<Clock>;
  close(): Promise<void>;
}

export async function startClocks(
  client: DynamoDBClient,
  tables: TableNames,
  deadlineMs: number,
): Promise<ClockApplication> {
  const root = {
    module: SoakModule,
    imports: [
      CqrsModule.forRoot(),
      EventStoreModule.forRoot({ client, tables, deadlineMs }),
      EventStoreModule.forFeature([Clock]),
    ],
    providers: [TickHandler, TickedHandler],
  };
  const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  return {
    commands: application.get(CommandBus, { strict: false }),
    clocks: application.get<AggregateRepository<Clock>>(getAggregateRepositoryToken(Clock), { strict: false }),
    close: () => application.close(),
  };
}
