import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Injectable, Module } from '@nestjs/common';
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
  EventStore,
  EventStoreModule,
  EventType,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  On,
  Projection,
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

/** A view that is told of every event, and keeps one number. */
@Injectable()
@Projection('soak-ticks')
class Ticks {
  seen = 0;

  @On(Ticked) ticked(): void {
    this.seen++;
  }
}

/** What follows the events by pulling. */
class Pulling {
  seen = 0;
  private readonly ending = new AbortController();
  private readonly over: Promise<void>;

  constructor(eventStore: EventStore) {
    this.over = this.pull(eventStore);
  }

  async end(): Promise<void> {
    this.ending.abort();
    await this.over;
  }

  private async pull(eventStore: EventStore): Promise<void> {
    const options = { name: 'soak-pulled', aggregateTypes: ['soak-clock'], signal: this.ending.signal };
    const events = eventStore.subscribe(options);
    for await (const recorded of events) {
      this.seen++;
      events.ack(recorded);
    }
  }
}

@Module({})
class SoakModule {}

export interface ClockApplication {
  readonly commands: CommandBus;
  readonly clocks: AggregateRepository<Clock>;
  /** How many events each of those that follow them was given. */
  followed(): readonly number[];
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
    providers: [TickHandler, TickedHandler, Ticks],
  };
  const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  const pulling = new Pulling(application.get(EventStore));
  return {
    commands: application.get(CommandBus, { strict: false }),
    clocks: application.get<AggregateRepository<Clock>>(getAggregateRepositoryToken(Clock), { strict: false }),
    followed: () => [application.get(Ticks, { strict: false }).seen, pulling.seen],
    close: async () => {
      await pulling.end();
      await application.close();
    },
  };
}
