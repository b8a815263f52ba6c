import {
  Controller,
  Injectable,
  Module,
  Param,
  Post,
  type BeforeApplicationShutdown,
  type DynamicModule,
} from '@nestjs/common';
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
  InjectAggregateRepository,
  On,
  type EventStoreModuleOptions,
} from '../../../src/index.js';

@EventType('shutdown.Counted')
export class Counted {
  constructor(readonly key: string) {}
}

/** Two events a command make a transaction of it, so that the only single puts are those of snapshots. */
@Aggregate('shutdown-counter', { snapshotEvery: 2 })
export class Counter extends AggregateRoot {
  counted = 0;

  countTwice(key: string): void {
    this.apply(new Counted(key));
    this.apply(new Counted(key));
  }

  @On(Counted) protected onCounted(): void {
    this.counted++;
  }
}

export class Count {
  constructor(readonly key: string) {}
}

@CommandHandler(Count)
class CountHandler implements ICommandHandler<Count> {
  constructor(@InjectAggregateRepository(Counter) private readonly counters: AggregateRepository<Counter>) {}

  async execute({ key }: Count): Promise<void> {
    const counter = (await this.counters.find(key)) ?? new Counter(key);
    counter.countTwice(key);
    this.counters.add(counter);
  }
}

@EventsHandler(Counted)
export class CountedHandler implements IEventHandler<Counted> {
  readonly handled: string[] = [];

  handle({ key }: Counted): void {
    this.handled.push(key);
  }
}

/** Tells when the modules of the application have been destroyed, and its server is still open. */
@Injectable()
export class Destruction implements BeforeApplicationShutdown {
  private tell!: () => void;
  readonly done = new Promise<void>((resolve) => (this.tell = resolve));

  beforeApplicationShutdown(): void {
    this.tell();
  }
}

@Controller()
class CountersController {
  constructor(
    private readonly commands: CommandBus,
    private readonly destruction: Destruction,
  ) {}

  @Post('counters/:key')
  async count(@Param('key') key: string): Promise<void> {
    await this.commands.execute(new Count(key));
  }

  /** A request that is slow to send its command. */
  @Post('late/:key')
  async countLate(@Param('key') key: string): Promise<void> {
    await this.destruction.done;
    await this.commands.execute(new Count(key));
  }
}

@Module({})
export class CountingModule {
  static on(options: EventStoreModuleOptions): DynamicModule {
    return {
      module: CountingModule,
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot(options), EventStoreModule.forFeature([Counter])],
      controllers: [CountersController],
      providers: [CountHandler, CountedHandler, Destruction],
    };
  }
}
