import { randomUUID } from 'node:crypto';
import { Injectable, type Type } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  type AggregateRepository,
  CommandContext,
  EventRegistry,
  EventStore,
  InjectAggregateRepository,
  On,
  Projection,
  type ProjectionContext,
  type RecordedEvent,
  SubscriptionError,
  Subscriptions,
  UnknownEventTypeError,
} from '../../src/index.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';
import { Account, AccountOpened, MoneyDeposited } from '../setup/bank.js';
import { collect } from '../setup/collect.js';
import { until } from '../setup/until.js';

class Open {
  constructor(
    readonly id: string,
    readonly amounts: readonly number[] = [],
  ) {}
}

@CommandHandler(Open)
class OpenHandler implements ICommandHandler<Open> {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ id, amounts }: Open): Promise<void> {
    const account = (await this.accounts.find(id)) ?? Account.open(id, 'Ada');
    if (account.version === 0) this.accounts.add(account);
    for (const amount of amounts) account.deposit(amount);
  }
}

interface Seen {
  readonly id: string;
  readonly version: number;
  readonly type: string;
}

/** What a projection of the tests saw, and what it is to do. */
@Injectable()
@Projection('seen', { attempts: 2 })
class SeenEvents {
  readonly seen: Seen[] = [];
  readonly contexts: unknown[] = [];
  failing: (recorded: ProjectionContext['recorded']) => boolean = () => false;

  @On(AccountOpened) opened(_: AccountOpened, context: ProjectionContext<AccountOpened>): void {
    this.see(context);
  }

  @On(MoneyDeposited) async deposited(_: MoneyDeposited, context: ProjectionContext<MoneyDeposited>): Promise<void> {
    this.see(context);
  }

  private see({ recorded }: ProjectionContext): void {
    if (this.failing(recorded)) throw new Error('The view is broken.');
    this.contexts.push(CommandContext.current());
    this.seen.push({
      id: recorded.stream.aggregateId,
      version: recorded.version,
      type: recorded.event.constructor.name,
    });
  }
}

const FAST = { marginMs: 5, pollMs: 10, backtrackMs: 1500, leaseMs: 1500 };

const open: Application[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((application) => application.close()));
});

async function start(storage: Storage, options: object = {}): Promise<Application & { projection: SeenEvents }> {
  const application = await startApplication(storage, {
    features: [Account],
    providers: [OpenHandler, SeenEvents],
    options: { subscriptions: FAST, ...options },
  });
  open.push(application);
  return { ...application, projection: application.module.get(SeenEvents, { strict: false }) };
}

describe.each<Storage>(['memory', 'dynamodb'])('projections, %s', (storage) => {
  it('see each event once and in order, whatever the number of aggregates', async () => {
    const { commands, projection } = await start(storage);
    const ids = Array.from({ length: 20 }, () => randomUUID());
    for (const id of ids) await commands.execute(new Open(id, [1, 2, 3]));
    await until(() => projection.seen.length >= 80);
    for (const id of ids) {
      expect(projection.seen.filter((each) => each.id === id).map(({ version }) => version)).toEqual([1, 2, 3, 4]);
    }
    expect(projection.seen).toHaveLength(80);
  });

  it('handle what was stored before they began, and go on where they had stopped', async () => {
    const { commands, projection, module } = await start(storage);
    await commands.execute(new Open('a', [1]));
    await until(() => projection.seen.length === 2);
    const subscriptions = module.get(Subscriptions);
    await subscriptions.pause('seen');
    await commands.execute(new Open('a', [2]));
    await commands.execute(new Open('b', [1]));
    expect(projection.seen).toHaveLength(2);
    const storedBy = Date.now();
    await until(() => Date.now() > storedBy);
    const { lag } = await subscriptions.status('seen');
    expect(lag.events).toBe(3);
    expect(lag.seconds).toBeGreaterThan(0);
    expect(lag.seconds).toBeLessThan(10);
    expect((await collect(subscriptions.pending('seen'))).map(({ version }) => version).toSorted()).toEqual([1, 2, 3]);
    await subscriptions.resume('seen');
    await until(() => projection.seen.length >= 5);
    expect(projection.seen.filter(({ id }) => id === 'a').map(({ version }) => version)).toEqual([1, 2, 3]);
    await until(async () => (await subscriptions.status('seen')).lag.events === 0);
    expect((await subscriptions.status('seen')).lag.seconds).toBe(0);
    // What is listed is by the checkpoint, which follows within a second.
    await until(async () => (await collect(subscriptions.pending('seen'))).length === 0);
  });

  it('know the cause of what they do', async () => {
    const { commands, projection, module } = await start(storage);
    await CommandContext.run({ tenantId: 't', userId: 'u', correlationId: 'c' }, () => commands.execute(new Open('a')));
    await until(() => projection.seen.length === 1);
    const [recorded] = await collect(
      module.get(EventStore).read({ tenantId: 't', aggregateType: 'test-account', aggregateId: 'a' }),
    );
    expect(projection.contexts[0]).toMatchObject({
      tenantId: 't',
      userId: 'u',
      correlationId: 'c',
      causationId: recorded!.eventId,
    });
  });
});

describe.each<Storage>(['memory', 'dynamodb'])('a projection whose handler keeps failing, %s', (storage) => {
  it('holds back that aggregate alone, until its event is retried', async () => {
    const { commands, projection, module } = await start(storage);
    const subscriptions = module.get(Subscriptions);
    projection.failing = ({ stream, version }) => stream.aggregateId === 'bad' && version === 2;
    await commands.execute(new Open('bad', [1]));
    await commands.execute(new Open('good', [1]));
    await until(async () => (await subscriptions.parked('seen')).length === 1);
    await commands.execute(new Open('bad', [2]));
    await commands.execute(new Open('good', [2]));
    await until(() => projection.seen.filter(({ id }) => id === 'good').length === 3);
    const [parked] = await subscriptions.parked('seen');
    expect(parked).toMatchObject({
      subscription: 'seen',
      version: 2,
      eventType: 'test.MoneyDeposited',
      attempts: 2,
      poison: 'stop-aggregate',
      error: { name: 'Error', message: 'The view is broken.' },
    });
    expect(projection.seen.filter(({ id }) => id === 'bad')).toHaveLength(1);
    const pending = await collect(subscriptions.pending('seen'));
    expect(pending.filter(({ stream }) => stream.aggregateId === 'bad').map(({ version }) => version)).toEqual([2, 3]);

    projection.failing = () => false;
    await subscriptions.retry(parked!);
    await until(() => projection.seen.filter(({ id }) => id === 'bad').length >= 3);
    await commands.execute(new Open('bad', [3]));
    await until(() => projection.seen.filter(({ id }) => id === 'bad').length >= 4);
    expect(projection.seen.filter(({ id }) => id === 'bad').map(({ version }) => version)).toEqual([1, 2, 3, 4]);
    await until(async () => (await subscriptions.parked('seen')).length === 0);
  });

  it('goes on without an event that is discarded', async () => {
    const { commands, projection, module } = await start(storage);
    const subscriptions = module.get(Subscriptions);
    projection.failing = ({ version }) => version === 2;
    await commands.execute(new Open('bad', [1, 2]));
    await until(async () => (await subscriptions.parked('seen')).length === 1);
    await subscriptions.discard((await subscriptions.parked('seen'))[0]!);
    await until(() => projection.seen.length >= 2);
    expect(projection.seen.map(({ version }) => version)).toEqual([1, 3]);
    await until(async () => (await subscriptions.parked('seen')).length === 0);
  });

  it('parks it again when it fails again', async () => {
    const { commands, projection, module } = await start(storage);
    const subscriptions = module.get(Subscriptions);
    projection.failing = ({ version }) => version === 2;
    await commands.execute(new Open('bad', [1, 2]));
    await until(async () => (await subscriptions.parked('seen')).length === 1);
    const [before] = await subscriptions.parked('seen');
    projection.failing = ({ version }) => version === 3;
    await subscriptions.retry(before!);
    await until(async () => (await subscriptions.parked('seen')).some(({ version }) => version === 3));
    await until(async () => (await subscriptions.parked('seen')).length === 1);
    expect(projection.seen.map(({ version }) => version)).toEqual([1, 2]);
  });

  it('stays held back over a restart', async () => {
    const { commands, projection, module } = await start(storage);
    const subscriptions = module.get(Subscriptions);
    projection.failing = ({ version }) => version === 2;
    await commands.execute(new Open('bad', [1, 2]));
    await until(async () => (await subscriptions.parked('seen')).length === 1);
    await subscriptions.pause('seen');
    await subscriptions.resume('seen');
    await commands.execute(new Open('bad', [3]));
    await commands.execute(new Open('good'));
    await until(() => projection.seen.some(({ id }) => id === 'good'));
    expect(projection.seen.filter(({ id }) => id === 'bad').map(({ version }) => version)).toEqual([1]);
  });
});

describe.each<Storage>(['memory', 'dynamodb'])('a loop that pulls events, %s', (storage) => {
  const options = { name: 'pulled', aggregateTypes: ['test-account'] };

  async function pull(
    store: EventStore,
    count: number,
    acknowledged: (version: number) => boolean,
    from: 'beginning' | Date = 'beginning',
  ): Promise<number[]> {
    const versions: number[] = [];
    const subscription = store.subscribe({ ...options, from });
    for await (const recorded of subscription) {
      versions.push(recorded.version);
      if (acknowledged(recorded.version)) subscription.ack(recorded);
      if (versions.length === count) break;
    }
    return versions;
  }

  it('gets each event in order, and again what it has not acknowledged', async () => {
    const { commands, module } = await start(storage, { subscriptions: { ...FAST, run: false } });
    const store = module.get(EventStore);
    await commands.execute(new Open('a', [1, 2]));
    expect(await pull(store, 3, (version) => version < 3)).toEqual([1, 2, 3]);
    await commands.execute(new Open('a', [3]));
    const pending = await collect(module.get(Subscriptions).pending(options));
    expect(pending.map(({ version }) => version).slice(-2)).toEqual([3, 4]);
    const again = await pull(store, 2, () => true);
    expect(again.at(-1)).toBe(4);
    expect(again.slice(-2)).toEqual([3, 4]);
  });

  it('ends with its signal, and refuses a second loop of the same name', async () => {
    const { module } = await start(storage);
    const store = module.get(EventStore);
    const controller = new AbortController();
    const subscription = store.subscribe({ ...options, signal: controller.signal });
    expect(() => store.subscribe(options)).toThrow(SubscriptionError);
    const all = collect(subscription);
    controller.abort();
    expect(await all).toEqual([]);
  });

  it('begins at a time, without the events before it', async () => {
    const { commands, module } = await start(storage);
    const store = module.get(EventStore);
    await commands.execute(new Open('a'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await commands.execute(new Open('a', [1]));
    const recorded = await collect(store.query({ aggregateType: 'test-account' }));
    const [first, second] = recorded.map(({ eventTime }) => eventTime.getTime()) as [number, number];
    const from = new Date((first + second) / 2);

    const pending = await collect(module.get(Subscriptions).pending({ ...options, from }));
    expect(pending.map(({ version }) => version)).toEqual([2]);
    expect(await pull(store, 1, () => true, from)).toEqual([2]);
  });

  it('is refused where that is no time', async () => {
    const { module } = await start(storage);
    const store = module.get(EventStore);
    const subscriptions = module.get(Subscriptions);
    for (const from of [new Date(Number.NaN), '2026-03-01' as unknown as Date]) {
      expect(() => store.subscribe({ ...options, from })).toThrow(SubscriptionError);
      await expect(collect(subscriptions.pending({ ...options, from }))).rejects.toThrow(SubscriptionError);
      await expect(subscriptions.reset('seen', from)).rejects.toThrow(SubscriptionError);
    }
    expect(subscriptions.names).toEqual(['seen']);
  });

  it('ends when the application closes', async () => {
    const application = await start(storage);
    await application.commands.execute(new Open('a'));
    const subscription = application.module.get(EventStore).subscribe(options);
    const versions: number[] = [];
    const loop = (async () => {
      for await (const { version } of subscription) versions.push(version);
    })();
    await until(() => versions.length === 1);
    await application.close();
    await loop;
    expect(versions).toEqual([1]);
  });

  it('is the only one of its subscription, also when it was left', async () => {
    const { commands, module } = await start(storage);
    await commands.execute(new Open('a'));
    const subscription = module.get(EventStore).subscribe(options);
    for await (const _ of subscription) break;
    await expect(collect(subscription)).rejects.toThrow(SubscriptionError);
  });

  describe('and meets one that cannot be read', () => {
    afterEach(() => {
      jest.restoreAllMocks();
    });

    /** From now on, events of one version cannot be read. */
    function failAt(module: Application['module'], version: number): void {
      const registry = module.get(EventRegistry, { strict: false });
      const decode = registry.decode.bind(registry);
      jest.spyOn(registry, 'decode').mockImplementation((encoded) => {
        if ((encoded as Partial<RecordedEvent>).version !== version) return decode(encoded);
        throw new UnknownEventTypeError(encoded.eventType, 'its class is of a later release.');
      });
    }

    it('handles those before it, ends, and goes on next time where it can be read by then', async () => {
      const { commands, module } = await start(storage);
      const store = module.get(EventStore);
      const subscriptions = module.get(Subscriptions);
      await commands.execute(new Open('a', [1, 2]));
      failAt(module, 2);
      const handled: number[] = [];
      const broken = store.subscribe(options);
      const loop = async () => {
        for await (const recorded of broken) {
          handled.push(recorded.version);
          broken.ack(recorded);
        }
      };
      await expect(loop()).rejects.toThrow(UnknownEventTypeError);
      expect(handled).toEqual([1]);

      // Nobody loops over this one, so that it stays as it was: stopped.
      const idle = store.subscribe(options);
      await until(async () => (await subscriptions.status('pulled')).state === 'stopped');
      expect(await subscriptions.parked('pulled')).toMatchObject([{ version: 2 }]);

      jest.restoreAllMocks();
      const again: number[] = [];
      for await (const recorded of idle) {
        again.push(recorded.version);
        idle.ack(recorded);
        if (recorded.version < 3) continue;
        expect(await subscriptions.parked('pulled')).toEqual([]);
        break;
      }
      expect(again).toEqual([2, 3]);
    });

    it('ends each time, unless the event is left out or the subscription is paused', async () => {
      const { commands, module } = await start(storage);
      const store = module.get(EventStore);
      const subscriptions = module.get(Subscriptions);
      await commands.execute(new Open('a', [1, 2]));
      failAt(module, 2);
      for (let times = 0; times < 2; times++) {
        await expect(pull(store, 3, () => true)).rejects.toThrow(UnknownEventTypeError);
      }
      const subscription = store.subscribe(options);
      await until(async () => (await subscriptions.status('pulled')).state === 'stopped');
      const [parked] = await subscriptions.parked('pulled');
      await subscriptions.pause('pulled');
      const first = subscription[Symbol.asyncIterator]().next();
      // All subscriptions are looked at, this one among them.
      await subscriptions.reset('seen', new Date());
      expect((await subscriptions.status('pulled')).state).toBe('paused');
      await subscriptions.discard(parked!);
      expect((await subscriptions.status('pulled')).state).toBe('paused');
      await subscriptions.resume('pulled');
      expect(await first).toMatchObject({ value: { version: 3 } });
    });
  });

  it('acknowledges its own events only, and each as often as it likes', async () => {
    const { commands, module } = await start(storage);
    await commands.execute(new Open('a', [1]));
    const subscription = module.get(EventStore).subscribe(options);
    const given: RecordedEvent[] = [];
    for await (const recorded of subscription) {
      given.push(recorded);
      expect(() => subscription.ack({ ...recorded })).toThrow(SubscriptionError);
      subscription.ack(recorded);
      subscription.ack(recorded);
      if (recorded.version === 2) break;
    }
    for (const recorded of given) subscription.ack(recorded);
    expect(await collect(module.get(Subscriptions).pending(options))).toEqual([]);
  });

  it('passes over the acknowledgement of an event whose slice another process has taken', async () => {
    const { commands, module } = await start(storage);
    const subscriptions = module.get(Subscriptions);
    await commands.execute(new Open('a'));
    const subscription = module.get(EventStore).subscribe(options);
    for await (const recorded of subscription) {
      // Who holds the slice loses it, as when another process takes it.
      await subscriptions.pause('pulled');
      subscription.ack(recorded);
      break;
    }
    expect(await collect(subscriptions.pending(options))).toHaveLength(1);
  });
});

describe('policies for events that keep failing', () => {
  it.each(['skip', 'stop-subscription'] as const)('%s', async (poison) => {
    @Projection('by-policy', { poison, attempts: 1 })
    class ByPolicy {
      readonly seen: number[] = [];
      fails = true;

      @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded }: ProjectionContext): void {
        if (this.fails && recorded.version === 2) throw new Error('Broken.');
        this.seen.push(recorded.version);
      }
    }
    const { commands, module } = await startedWith(ByPolicy);
    const projection = module.get(ByPolicy, { strict: false });
    const subscriptions = module.get(Subscriptions);
    await commands.execute(new Open('a', [1, 2]));
    await until(async () => (await subscriptions.parked('by-policy')).length === 1);
    const [parked] = await subscriptions.parked('by-policy');
    if (poison === 'skip') {
      await until(() => projection.seen.length === 1);
      projection.fails = false;
      await subscriptions.retry(parked!);
      await until(() => projection.seen.length === 2);
      expect(projection.seen).toEqual([3, 2]);
    } else {
      await until(async () => (await subscriptions.status('by-policy')).state === 'stopped');
      expect(projection.seen).toEqual([]);
      await subscriptions.discard(parked!);
      await until(() => projection.seen.length === 1);
      expect(projection.seen).toEqual([3]);
    }
    await until(async () => (await subscriptions.parked('by-policy')).length === 0);
  });
});

async function startedWith(projection: Type): Promise<Application> {
  const application = await startApplication('memory', {
    features: [Account],
    providers: [OpenHandler, projection],
    options: { subscriptions: FAST },
  });
  open.push(application);
  return application;
}
