import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  EventStore,
  EventType,
  getAggregateRepositoryToken,
  On,
  type Class,
} from '../../src/index.js';
import { startApplication, type Application } from '../setup/application.js';

@EventType('requests.Ticked')
class Ticked {
  constructor(readonly count: number) {}
}

abstract class Clock extends AggregateRoot {
  ticks = 0;

  tick(): void {
    this.apply(new Ticked(this.ticks + 1));
  }

  @On(Ticked) protected onTicked(): void {
    this.ticks++;
  }
}

@Aggregate('clock')
class PlainClock extends Clock {}

@Aggregate('clock-with-snapshots', { snapshotEvery: 5 })
class SnapshotClock extends Clock {}

@Aggregate('clock-inline', { snapshot: 'inline' })
class InlineClock extends Clock {}

class Work {
  constructor(
    readonly clock: Class<Clock>,
    readonly work: (clocks: AggregateRepository<Clock>) => Promise<unknown>,
  ) {}
}

/** Requests are a cost that users pay, so each operation's are written down here. */
describe('the requests of a command', () => {
  let application: Application;

  @CommandHandler(Work)
  class WorkHandler implements ICommandHandler<Work> {
    execute({ clock, work }: Work): Promise<unknown> {
      return work(application.module.get(getAggregateRepositoryToken(clock), { strict: false }));
    }
  }

  beforeAll(async () => {
    application = await startApplication('dynamodb', {
      features: [PlainClock, SnapshotClock, InlineClock],
      providers: [WorkHandler],
      options: { snapshots: { wait: true } },
    });
  });

  afterAll(() => application.close());

  beforeEach(() => void application.requests.splice(0));

  async function requestsOf(clock: Class<Clock>, work: Work['work']): Promise<string[]> {
    application.requests.splice(0);
    await application.commands.execute(new Work(clock, work));
    return application.requests.splice(0);
  }

  const create = (clock: Class<Clock>, id: string, ticks: number) =>
    requestsOf(clock, async (clocks) => {
      const aggregate = new clock(id);
      for (let tick = 0; tick < ticks; tick++) aggregate.tick();
      clocks.add(aggregate);
    });
  const tick = (clock: Class<Clock>, id: string, times = 1) =>
    requestsOf(clock, async (clocks) => {
      const aggregate = await clocks.load(id);
      for (let each = 0; each < times; each++) aggregate.tick();
    });
  const read = (clock: Class<Clock>, id: string) => requestsOf(clock, (clocks) => clocks.load(id));

  it('creating with one event: 1 write', async () => {
    expect(await create(PlainClock, 'one', 1)).toEqual(['PutItem']);
  });

  it('creating with ten events: 1 write', async () => {
    expect(await create(PlainClock, 'ten', 10)).toEqual(['TransactWriteItems']);
  });

  it('loading and appending one event: 1 read and 1 write', async () => {
    await create(PlainClock, 'load', 30);
    expect(await tick(PlainClock, 'load')).toEqual(['Query', 'PutItem']);
  });

  it('loading and appending ten events: 1 read and 1 write', async () => {
    await create(PlainClock, 'load-ten', 3);
    expect(await tick(PlainClock, 'load-ten', 10)).toEqual(['Query', 'TransactWriteItems']);
  });

  it('reading only: 1 read and nothing else', async () => {
    await create(PlainClock, 'read', 3);
    expect(await read(PlainClock, 'read')).toEqual(['Query']);
    expect(await requestsOf(PlainClock, (clocks) => clocks.find('none'))).toEqual(['Query']);
    expect(await requestsOf(PlainClock, (clocks) => clocks.exists('read'))).toEqual(['Query']);
  });

  it('loading the same aggregate twice in one command: 1 read', async () => {
    await create(PlainClock, 'twice', 1);
    const requests = await requestsOf(PlainClock, async (clocks) => {
      await Promise.all([clocks.load('twice'), clocks.load('twice')]);
      await clocks.load('twice');
    });
    expect(requests).toEqual(['Query']);
  });

  it('loading by snapshot and appending one: 1 read and 1 write; a snapshot that is due: 1 more write', async () => {
    expect(await create(SnapshotClock, 'a', 5)).toEqual(['TransactWriteItems', 'PutItem']);
    for (let version = 6; version <= 9; version++) expect(await tick(SnapshotClock, 'a')).toEqual(['Query', 'PutItem']);
    expect(await tick(SnapshotClock, 'a')).toEqual(['Query', 'PutItem', 'PutItem']);
    expect(await read(SnapshotClock, 'a')).toEqual(['Query']);
  });

  it('loading by inline state and appending one: 1 read and 1 write, and never one for a snapshot', async () => {
    expect(await create(InlineClock, 'a', 3)).toEqual(['TransactWriteItems']);
    for (let version = 4; version <= 8; version++) expect(await tick(InlineClock, 'a')).toEqual(['Query', 'PutItem']);
  });

  it('doing nothing: nothing', async () => {
    expect(await requestsOf(PlainClock, async () => 1)).toEqual([]);
    const store = application.module.get(EventStore);
    await store.append({ aggregateType: 'clock', aggregateId: 'x' }, [], { expectedVersion: 3 });
    expect(application.requests).toEqual([]);
  });

  it('appending to the store: a number costs a read of the head, NO_STREAM does not', async () => {
    const store = application.module.get(EventStore);
    const stream = { aggregateType: 'clock', aggregateId: 'raw' };
    await store.append(stream, [new Ticked(1)], { expectedVersion: 0 });
    expect(application.requests.splice(0)).toEqual(['PutItem']);
    await store.append(stream, [new Ticked(2)], { expectedVersion: 1 });
    expect(application.requests.splice(0)).toEqual(['Query', 'PutItem']);
    await store.append(stream, [new Ticked(3)], { expectedVersion: 'any' });
    expect(application.requests.splice(0)).toEqual(['Query', 'PutItem']);
    await store.append(stream, [new Ticked(4)], { expectedVersion: 1 }).catch(() => {});
    expect(application.requests.splice(0)).toEqual(['Query']);
    await store.append(stream, [new Ticked(4)], { expectedVersion: 0 }).catch(() => {});
    expect(application.requests.splice(0)).toEqual(['PutItem', 'Query']);
  });
});
