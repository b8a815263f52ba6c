import { Injectable } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  ANY_VERSION,
  EventRegistry,
  EventStore,
  InMemoryEventStore,
  On,
  Projection,
  type ProjectionContext,
  type RebuildProgress,
  SubscriptionError,
  Subscriptions,
} from '../../src/index.js';
import { InMemoryBookkeeping } from '../../src/store/in-memory-bookkeeping.js';
import { InMemoryEventFeed } from '../../src/store/in-memory-event-feed.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';
import { Account, MoneyDeposited } from '../setup/bank.js';
import { collect } from '../setup/collect.js';
import { until } from '../setup/until.js';

/** Keeps a view for each generation, which outlives its process. */
class Views {
  readonly sums = new Map<number, Map<string, number>>();
  readonly seen: string[] = [];
}

@Injectable()
@Projection('sums', { attempts: 1 })
class Sums {
  factor = 1;
  failing: (context: ProjectionContext) => boolean = () => false;
  before: () => Promise<void> = async () => {};

  constructor(private readonly views: Views) {}

  @On(MoneyDeposited) async deposited({ amount }: MoneyDeposited, context: ProjectionContext): Promise<void> {
    if (context.generation === 2) await this.before();
    if (this.failing(context)) throw new Error('The view is broken.');
    const { recorded, generation } = context;
    const view = this.views.sums.get(generation) ?? new Map<string, number>();
    this.views.sums.set(generation, view);
    const { aggregateId } = recorded.stream;
    view.set(aggregateId, (view.get(aggregateId) ?? 0) + amount * this.factor);
    this.views.seen.push(`${generation}/${aggregateId}/${recorded.version}`);
  }
}

const FAST = { marginMs: 5, pollMs: 10, backtrackMs: 1500, leaseMs: 900 };

const open: Application[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((application) => application.close()));
});

async function start(storage: Storage, options: object = {}) {
  const application = await startApplication(storage, {
    features: [Account],
    providers: [Views, Sums],
    options: { subscriptions: FAST, ...options },
  });
  open.push(application);
  const { module } = application;
  const store = module.get(EventStore);
  return {
    ...application,
    store,
    views: module.get(Views, { strict: false }),
    projection: module.get(Sums, { strict: false }),
    subscriptions: module.get(Subscriptions),
    deposit: (aggregateId: string, ...amounts: number[]) =>
      store.append(
        { aggregateType: 'test-account', aggregateId },
        amounts.map((amount) => new MoneyDeposited(amount)),
        { expectedVersion: ANY_VERSION },
      ),
  };
}

@Injectable()
@Projection('mails')
class Mails {
  readonly sent: number[] = [];

  @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded }: ProjectionContext): void {
    this.sent.push(recorded.version);
  }
}

@Injectable()
@Projection('stopping', { attempts: 1, poison: 'stop-subscription' })
class Stopping {
  @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded, generation }: ProjectionContext): void {
    if (generation === 2 && recorded.version === 2) throw new Error('The view is broken.');
  }
}

const total = (view: Map<string, number> | undefined) =>
  [...(view ?? []).values()].reduce((sum, each) => sum + each, 0);

describe.each<Storage>(['memory', 'dynamodb'])('a projection that is built anew, %s', (storage) => {
  it('is built by a process that polls for it alone, where the live one is handled elsewhere', async () => {
    const application = await startApplication(storage, {
      features: [Account],
      providers: [Views, Sums, Mails],
      options: { subscriptions: { ...FAST, run: false } },
    });
    open.push(application);
    const { module } = application;
    const [subscriptions, store] = [module.get(Subscriptions), module.get(EventStore)];
    const views = module.get(Views, { strict: false });
    const account = { aggregateType: 'test-account', aggregateId: 'a' };
    const amounts = [1, 2, 3].map((amount) => new MoneyDeposited(amount));
    await store.append(account, amounts, { expectedVersion: ANY_VERSION });
    const events = await collect(store.read(account));
    await subscriptions.reset('sums', new Date(events.at(-1)!.eventTime.getTime() + 1));
    await subscriptions.rebuild('sums');
    subscriptions.start('sums');
    await collect(subscriptions.progress('sums'));
    await subscriptions.switchOver('sums');
    expect(views.seen.filter((line) => line.startsWith('2/'))).toEqual(['2/a/1', '2/a/2', '2/a/3']);
    expect(views.seen).toHaveLength(3);
    expect(module.get(Mails, { strict: false }).sent).toEqual([]);

    // What came just before has to be read still.
    await store.append(account, [new MoneyDeposited(4)], { expectedVersion: ANY_VERSION });
    await until(() => views.seen.includes('2/a/4'));
  });

  it('is built beside the live one, tells how far it is, and takes its place', async () => {
    const { subscriptions, views, projection, deposit } = await start(storage);
    for (const id of ['a', 'b', 'c']) await deposit(id, 1, 2, 3);
    await until(() => total(views.sums.get(1)) === 18);
    // The code is mended, and counts in cents from now on.
    projection.factor = 100;
    expect(await subscriptions.generation('sums')).toBe(1);
    expect(await subscriptions.rebuild('sums')).toBe(2);
    await deposit('a', 4);
    await until(() => total(views.sums.get(1)) === 418 && total(views.sums.get(2)) === 2200);
    const looks: RebuildProgress[] = [];
    for await (const progress of subscriptions.progress('sums')) looks.push(progress);
    const last = looks.at(-1)!;
    expect(last).toMatchObject({ generation: 2, total: 9, caughtUp: true });
    await until(async () => {
      const [now] = await collect(subscriptions.progress('sums'));
      return now!.handled === 10 && now!.remainingSeconds === 0 && now!.eventsPerSecond > 0;
    });
    expect(await subscriptions.status('sums~2')).toMatchObject({ generation: 2, lag: { events: 0 } });

    await subscriptions.switchOver('sums');
    expect(await subscriptions.generation('sums')).toBe(2);
    expect(await subscriptions.status('sums')).toMatchObject({ name: 'sums', generation: 2, state: 'running' });
    await until(async () => {
      await deposit('b', 1);
      const built = new Set(views.seen.slice(-3).map((line) => line[0]));
      return built.size === 1 && built.has('2');
    });
    const handled = views.seen.filter((line) => line.startsWith('2/a/'));
    expect(handled).toEqual(['2/a/1', '2/a/2', '2/a/3', '2/a/4']);
    await expect(collect(subscriptions.progress('sums'))).rejects.toThrow(SubscriptionError);
  });

  it('says where it has stopped or is paused, to who waits for it', async () => {
    const application = await startApplication(storage, {
      features: [Account],
      providers: [Stopping],
      options: { subscriptions: FAST },
    });
    open.push(application);
    const { module } = application;
    const [subscriptions, store] = [module.get(Subscriptions), module.get(EventStore)];
    const account = { aggregateType: 'test-account', aggregateId: 'a' };
    await store.append(account, [new MoneyDeposited(1), new MoneyDeposited(2)], { expectedVersion: ANY_VERSION });
    await until(async () => (await subscriptions.status('stopping')).lag.events === 0);
    await subscriptions.rebuild('stopping');
    await until(async () => (await subscriptions.status('stopping~2')).state === 'stopped');
    await expect(collect(subscriptions.progress('stopping'))).rejects.toThrow(/"stopping~2" has stopped at an event/);
    await expect(subscriptions.switchOver('stopping')).rejects.toThrow(/parked\('stopping~2'\)/);

    await subscriptions.pause('stopping~2');
    await expect(subscriptions.switchOver('stopping')).rejects.toThrow(
      /not caught up yet, and is paused: resume\('stopping~2'\)/,
    );
    const [parked] = await subscriptions.parked('stopping~2');
    await subscriptions.discard(parked!);
    await subscriptions.resume('stopping~2');
    await collect(subscriptions.progress('stopping'));
    await until(async () => (await subscriptions.parked('stopping~2')).length === 0);
    await subscriptions.switchOver('stopping');
  });

  it('is paused, resumed and built anew like any other, after it was switched over', async () => {
    const { subscriptions, views, deposit } = await start(storage);
    await deposit('a', 1, 2);
    await subscriptions.rebuild('sums');
    await until(() => total(views.sums.get(2)) === 3);
    await collect(subscriptions.progress('sums'));
    await subscriptions.switchOver('sums');
    await subscriptions.pause('sums');
    await deposit('a', 4);
    expect((await subscriptions.status('sums')).state).toBe('paused');
    expect((await collect(subscriptions.pending('sums'))).map(({ version }) => version)).toEqual([3]);
    await subscriptions.resume('sums');
    await until(() => total(views.sums.get(2)) === 7);
    expect(await subscriptions.rebuild('sums')).toBe(3);
    await until(() => total(views.sums.get(3)) === 7);
  });
});

describe('several processes', () => {
  const registry = new EventRegistry().register(MoneyDeposited);
  const processes: Subscriptions[] = [];
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((subscriptions) => subscriptions.stop()));
  });

  it('build one generation together, take it over from each other, and switch at one word', async () => {
    const store = new InMemoryEventStore(registry);
    const [feed, bookkeeping] = [new InMemoryEventFeed(store), new InMemoryBookkeeping()];
    const seen: string[] = [];
    const newProcess = (process: string) => {
      const subscriptions = new Subscriptions(feed, bookkeeping, registry, { ...FAST, leaseMs: 60 }, () => {});
      const plan = { name: 'p', from: 0, concurrency: 1, attempts: 1, poison: 'skip' } as const;
      subscriptions.add({ ...plan, aggregateTypes: ['x', 'y'] }, ({ generation }) => ({
        batch: 1,
        wants: () => true,
        handle: async ([event]) =>
          void seen.push(`${process}/${generation}/${event!.stream.aggregateType}/${event!.version}`),
      }));
      subscriptions.start();
      processes.push(subscriptions);
      return subscriptions;
    };
    const append = (aggregateType: string) =>
      store.append({ aggregateType, aggregateId: 'a' }, [new MoneyDeposited(1)], { expectedVersion: ANY_VERSION });
    const of = (generation: number) => seen.filter((line) => line.split('/')[1] === String(generation));
    const [one, two] = [newProcess('one'), newProcess('two')];
    await append('x');
    await append('y');
    await until(() => of(1).length === 2);
    await one.rebuild('p');
    await until(() => of(2).length === 2);
    await until(async () => new Set((await two.status('p~2')).partitions.map(({ owner }) => owner)).size === 2);
    await one.stop();
    await append('x');
    await append('y');
    await until(() => of(2).length === 4);
    expect(
      of(2)
        .filter((line) => line.includes('/y/'))
        .map((line) => line.at(-1)),
    ).toEqual(['1', '2']);
    await until(() => of(1).length === 4);
    await collect(two.progress('p'));
    // By a process that reads nothing itself, and knows of the others what they have written down.
    await until(() =>
      one.switchOver('p').then(
        () => true,
        () => false,
      ),
    );
    await until(async () => {
      await append('x');
      const [last, ...rest] = seen.slice(-4).map((line) => line.split('/')[1]);
      return last === '2' && rest.every((each) => each === '2');
    });
    expect((await two.status('p')).generation).toBe(2);
  });
});

describe('what a rebuild refuses', () => {
  it('is a second one, until the first is given up', async () => {
    const { subscriptions, views, deposit } = await start('memory');
    await deposit('a', 1);
    await subscriptions.rebuild('sums');
    await expect(subscriptions.rebuild('sums')).rejects.toThrow(/Generation 2 of "sums" is being built/);
    await until(() => total(views.sums.get(2)) === 1);
    await subscriptions.cancelRebuild('sums');
    await expect(subscriptions.switchOver('sums')).rejects.toThrow(/Begin with rebuild\('sums'\)/);
    await expect(subscriptions.status('sums~2')).rejects.toThrow(/No generation 2 of "sums"/);
    expect(await subscriptions.generation('sums')).toBe(1);
    // Another number, so that what the first has left behind is never mixed with it.
    expect(await subscriptions.rebuild('sums')).toBe(3);
    await until(() => total(views.sums.get(3)) === 1);
    expect(views.seen.filter((line) => line.startsWith('2/'))).toEqual(['2/a/1']);
  });

  it('is to take for caught up what has not handled all that was there, however young that is', async () => {
    const { subscriptions, views, projection, deposit } = await start('memory');
    await deposit('a', ...Array.from({ length: 50 }, () => 1));
    let release = () => {};
    projection.before = () => new Promise((resolve) => (release = resolve));
    await subscriptions.rebuild('sums');
    await expect(subscriptions.switchOver('sums')).rejects.toThrow(/has not caught up yet/);
    projection.before = async () => {};
    release();
    const looks = await collect(subscriptions.progress('sums'));
    expect(looks.at(-1)).toMatchObject({ handled: 50, total: 50, caughtUp: true });
    expect(total(views.sums.get(2))).toBe(50);
    await subscriptions.switchOver('sums');
  });

  it('is to switch to what is behind, or has parked events', async () => {
    const { subscriptions, projection, deposit } = await start('memory');
    projection.failing = ({ generation, recorded }) => generation === 2 && recorded.version === 2;
    await deposit('a', 1, 2, 3);
    await subscriptions.pause('sums');
    await subscriptions.rebuild('sums');
    await until(async () => (await subscriptions.parked('sums~2')).length === 1);
    await collect(subscriptions.progress('sums'));
    await expect(subscriptions.switchOver('sums')).rejects.toThrow(/has parked events: .* parked\('sums~2'\)/);
    projection.failing = () => false;
    const [parked] = await subscriptions.parked('sums~2');
    await subscriptions.retry(parked!);
    await until(async () => (await subscriptions.parked('sums~2')).length === 0);

    await subscriptions.pause('sums~2');
    await subscriptions.reset('sums~2', new Date(0));
    const clock = Date.now;
    try {
      Date.now = () => clock() + 60_000;
      await expect(subscriptions.switchOver('sums')).rejects.toThrow(/has not caught up yet/);
    } finally {
      Date.now = clock;
    }
    await subscriptions.resume('sums~2');
  });

  it('is a loop that pulls, and a name like that of a generation', async () => {
    const { store, subscriptions } = await start('memory');
    const pulled = store.subscribe({ name: 'pulled', aggregateTypes: ['test-account'] });
    await expect(subscriptions.rebuild('pulled')).rejects.toThrow(/is no projection/);
    expect(() => store.subscribe({ name: 'sums~2', aggregateTypes: ['test-account'] })).toThrow(/later generation/);
    await pulled[Symbol.asyncIterator]().return?.();
  });
});
