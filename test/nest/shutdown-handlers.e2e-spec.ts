import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Module, Scope, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, EventBus, EventsHandler, UnhandledExceptionBus, type IEventHandler } from '@nestjs/cqrs';
import { Count, Counted, CountingModule } from './shutdown/counting.module.js';

@Injectable()
class Done {
  readonly by: string[] = [];
}

/** Is at work for long after the command has ended. */
@Injectable()
abstract class Slow implements IEventHandler<Counted> {
  constructor(
    protected readonly done: Done,
    protected readonly commands: CommandBus,
  ) {}

  async handle({ key }: Counted): Promise<void> {
    await sleep(50);
    this.done.by.push(`${this.constructor.name} ${key}`);
  }
}

@EventsHandler(Counted)
class OnlyOne extends Slow {
  override async handle(event: Counted): Promise<void> {
    await super.handle(event);
    if (event.key === 'first') await this.commands.execute(new Count('of the handler'));
  }
}

@EventsHandler(Counted)
@Injectable({ scope: Scope.REQUEST })
class OneForEach extends Slow {}

@EventsHandler(Counted)
class Failing implements IEventHandler<Counted> {
  async handle(): Promise<void> {
    await sleep(10);
    throw new RangeError('of a handler');
  }
}

@EventsHandler(Counted)
class FailingAtOnce implements IEventHandler<Counted> {
  handle(): void {
    throw new TypeError('of a handler');
  }
}

/** As a query builder, it does its work whenever it is awaited. */
@EventsHandler(Counted)
class Lazy implements IEventHandler<Counted> {
  runs = 0;

  handle(): PromiseLike<void> {
    const then = (resolve: () => void) => {
      this.runs++;
      resolve();
    };
    // oxlint-disable-next-line unicorn/no-thenable -- that is what this is about
    return { then } as PromiseLike<void>;
  }
}

@Module({
  imports: [CountingModule.on({ storage: 'memory' })],
  providers: [Done, OnlyOne, OneForEach, Failing, FailingAtOnce, Lazy],
})
class Application {}

afterEach(() => {
  jest.restoreAllMocks();
});

async function start(): Promise<{ app: INestApplicationContext; by: readonly string[]; commands: CommandBus }> {
  jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
  const app = await NestFactory.createApplicationContext(Application, { logger: false });
  return { app, by: app.get(Done).by, commands: app.get(CommandBus, { strict: false }) };
}

describe('a closed application', () => {
  it('has let asynchronous event handlers finish, and the commands that they sent', async () => {
    const { app, by, commands } = await start();
    await commands.execute(new Count('first'));
    expect(by).toEqual([]);
    await app.close();
    const each = ['OneForEach first', 'OneForEach of the handler', 'OnlyOne first', 'OnlyOne of the handler'];
    // The second command is sent by both runs of its handler, and each command applies its event twice.
    expect(by.toSorted()).toEqual(each.flatMap((one) => (one.endsWith('first') ? [one, one] : [one, one, one, one])));
  });

  it('has also for events that did not come from a command', async () => {
    const { app, by } = await start();
    app.get(EventBus, { strict: false }).publish(new Counted('published'));
    await app.close();
    expect(by.toSorted()).toEqual(['OneForEach published', 'OnlyOne published']);
  });

  it('has awaited once what a handler returned', async () => {
    const { app } = await start();
    app.get(EventBus, { strict: false }).publish(new Counted('published'));
    await app.close();
    expect(app.get(Lazy).runs).toBe(1);
  });

  it('leaves failures of handlers to the bus, which tells of them once', async () => {
    const { app, commands } = await start();
    const failures: unknown[] = [];
    app.get(UnhandledExceptionBus, { strict: false }).subscribe(({ exception }) => failures.push(exception));
    await commands.execute(new Count('failing'));
    expect(failures).toEqual([new TypeError('of a handler'), new TypeError('of a handler')]);
    await app.close();
    expect(failures.slice(2)).toEqual([new RangeError('of a handler'), new RangeError('of a handler')]);
  });
});
