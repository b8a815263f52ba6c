import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { CommandBus, CommandHandler, CqrsModule } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import {
  AggregateRepository,
  EventStoreModule,
  InjectAggregateRepository,
  On,
  Projection,
  type ProjectionContext,
  Subscriptions,
} from '../../src/index.js';
import {
  BookkeepingDouble,
  createEventStoreTestingModule,
  EventStoreDouble,
  EventStoreTestingModule,
  ScenarioFailedError,
  untilProjected,
  type TestingApplication,
} from '../../src/testing/index.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';
import { until } from '../setup/until.js';

class Withdraw {
  constructor(
    readonly accountId: string,
    readonly amount: number,
  ) {}
}

@CommandHandler(Withdraw)
class WithdrawHandler {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ accountId, amount }: Withdraw): Promise<void> {
    (await this.accounts.load(accountId)).withdraw(amount);
  }
}

/** Takes its time, and fails when it is told to. */
@Projection('balances', { attempts: 1 })
class Balances {
  readonly balances: Record<string, number> = {};
  broken = false;

  @On(MoneyDeposited) async deposited({ amount }: MoneyDeposited, context: ProjectionContext): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (this.broken) throw new Error('The view is broken.');
    this.add(amount, context);
  }

  @On(MoneyWithdrawn) withdrawn({ amount }: MoneyWithdrawn, context: ProjectionContext): void {
    this.add(-amount, context);
  }

  private add(amount: number, { recorded: { stream }, transaction }: ProjectionContext): void {
    const id = stream.aggregateId;
    this.balances[id] = (this.balances[id] ?? 0) + amount;
    transaction.put({ TableName: 'balances', Item: { id, balance: this.balances[id] } });
  }
}

/** Takes a fee of each deposit, by a command: so it stores what the other projection has to handle. */
@Injectable()
@Projection('fees', { attempts: 1 })
class Fees {
  constructor(private readonly commands: CommandBus) {}

  @On(MoneyDeposited) async deposited(_: MoneyDeposited, { recorded }: ProjectionContext): Promise<void> {
    await this.commands.execute(new Withdraw(recorded.stream.aggregateId, 1));
  }
}

/** Leaves out what it fails at, and goes on. */
@Projection('log', { attempts: 1, poison: 'skip' })
class Log {
  broken = false;

  @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded, generation, transaction }: ProjectionContext): void {
    if (this.broken && recorded.version === 1) throw new Error('The view is broken.');
    transaction.put({ TableName: 'log', Item: { id: `${generation}#${recorded.version}` } });
  }
}

@Projection('log-of-others')
class LogOfOthers extends Log {
  @On(MoneyDeposited) override deposited(event: MoneyDeposited, context: ProjectionContext): void {
    super.deposited(event, context);
  }
}

const deposits = (count: number) => Array.from({ length: count }, () => new MoneyDeposited(5));
const put = (id: string, balance: number) => ({ Put: { TableName: 'balances', Item: { id, balance } } });

let app: TestingApplication | undefined;

afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(...providers: (new (...args: never[]) => object)[]): Promise<TestingApplication> {
  app = await createEventStoreTestingModule({
    aggregates: [Account],
    providers: [WithdrawHandler, ...providers] as never,
    logger: false,
  });
  return app;
}

describe('writesOf', () => {
  it('shows what was tried again behind later events, and what later generations have written', async () => {
    await start(Log, LogOfOthers);
    const log = app!.get(Log);
    const subscriptions = app!.get(Subscriptions);
    const ids = () => app!.writesOf(Log).map((write) => ('Put' in write ? write.Put.Item!.id : undefined));
    const retried = async (name: string) => {
      await until(async () => (await subscriptions.parked(name)).length === 1);
      log.broken = false;
      for (const parked of await subscriptions.parked(name)) await subscriptions.retry(parked);
      await until(async () => (await subscriptions.parked(name)).length === 0);
    };
    log.broken = true;
    await app!.given(Account, 'a-1', deposits(2));
    await retried('log');
    expect(ids()).toEqual(['1#2', '1#1']);
    log.broken = true;
    await subscriptions.rebuild('log');
    await retried('log~2');
    expect(ids().slice(2)).toEqual(['2#2', '2#1']);
  });
});

describe('untilProjected', () => {
  it('waits until the projections have handled all that is stored', async () => {
    const { store } = await start(Balances);
    await app!.untilProjected();
    expect(app!.writesOf(Balances)).toEqual([]);
    for (const balance of [15, 30, 45]) {
      await app!.given(Account, 'a-1', deposits(3));
      await app!.untilProjected();
      expect(app!.get(Balances).balances).toEqual({ 'a-1': balance });
    }
    expect(store.eventCount).toBe(9);
    expect(app!.writesOf(Balances)).toEqual([5, 10, 15, 20, 25, 30, 35, 40, 45].map((sum) => put('a-1', sum)));
  });

  it('waits for what projections set in motion as well', async () => {
    await start(Balances, Fees);
    await app!.given(Account, 'a-1', deposits(5));
    await app!.untilProjected();
    expect(app!.events()).toHaveLength(5);
    expect(app!.get(Balances).balances).toEqual({ 'a-1': 20 });
  });

  it('says at once which projection has parked which event, and why', async () => {
    await start(Balances);
    app!.get(Balances).broken = true;
    await app!.given(Account, 'a-1', [new AccountOpened('Ada'), ...deposits(2)]);
    const failing = app!.untilProjected({ timeoutMs: 60_000 });
    await expect(failing).rejects.toThrow(ScenarioFailedError);
    await expect(app!.untilProjected()).rejects.toThrow(
      'Projections will not catch up:\nbalances: version 2 of test-account "a-1" (test.MoneyDeposited) is parked after 1 attempt: Error: The view is broken.',
    );
  });

  it('goes on when a parked event is tried again', async () => {
    await start(Balances);
    const balances = app!.get(Balances);
    balances.broken = true;
    await app!.given(Account, 'a-1', deposits(3));
    await expect(app!.untilProjected()).rejects.toThrow('is parked');
    balances.broken = false;
    const subscriptions = app!.get(Subscriptions);
    for (const parked of await subscriptions.parked('balances')) await subscriptions.retry(parked);
    await app!.untilProjected();
    expect(balances.balances).toEqual({ 'a-1': 15 });
  });

  it('says at once that a projection is paused', async () => {
    await start(Balances);
    await app!.get(Subscriptions).pause('balances');
    await app!.untilProjected();
    await app!.given(Account, 'a-1', deposits(1));
    await expect(app!.untilProjected({ timeoutMs: 60_000 })).rejects.toThrow('balances: 1 event behind, and paused');
    await app!.get(Subscriptions).resume('balances');
    await app!.untilProjected();
  });

  it('says after the timeout which projection is behind', async () => {
    await start(Balances);
    await app!.given(Account, 'a-1', deposits(50));
    const error: unknown = await app!.untilProjected({ timeoutMs: 20 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ScenarioFailedError);
    expect((error as Error).message).toMatch(/After 20 ms .*\nbalances: \d+ events behind$/);
  });

  it('waits for a loop that pulls events, until it has acknowledged them', async () => {
    const { store } = await start(Balances);
    const controller = new AbortController();
    const pulled = store.subscribe({ name: 'pulled', aggregateTypes: ['test-account'], signal: controller.signal });
    const versions: number[] = [];
    const loop = (async () => {
      for await (const recorded of pulled) {
        versions.push(recorded.version);
        if (recorded.version < 3) pulled.ack(recorded);
      }
    })();
    await app!.given(Account, 'a-1', deposits(2));
    await app!.untilProjected();
    expect(versions).toEqual([1, 2]);
    await app!.given(Account, 'a-1', deposits(1));
    await until(() => app!.get(Balances).balances['a-1'] === 15);
    await expect(app!.untilProjected({ timeoutMs: 300 })).rejects.toThrow(/after 300 ms.*\npulled: 1 event behind$/i);
    controller.abort();
    await loop;
    await app!.untilProjected();
  });

  it('needs no projection', async () => {
    await start();
    await app!.given(Account, 'a-1', deposits(1));
    await app!.untilProjected();
    expect(() => app!.writesOf(Account)).toThrow('Account is no projection');
  });

  it('looks again when something was stored while it looked', async () => {
    const looks: string[] = [];
    const store = { eventCount: 0 };
    const subscriptions = {
      names: ['early', 'late'],
      // While the late one was looked at, it has stored something that the early one has to handle.
      status: async (name: string) => {
        looks.push(name);
        if (looks.length === 2) store.eventCount++;
        return { state: 'running', lag: { events: name === 'early' && looks.length === 3 ? 1 : 0 } };
      },
      parked: async () => [],
      wake: () => {},
    };
    await untilProjected({ get: (token: unknown) => (token === Subscriptions ? subscriptions : store) } as never);
    expect(looks).toEqual(['early', 'late', 'early', 'late', 'early', 'late']);
  });

  it('serves an application of your own', async () => {
    const module = await Test.createTestingModule({
      imports: [CqrsModule.forRoot(), EventStoreTestingModule.forRoot(), EventStoreModule.forFeature([Account])],
      providers: [Balances],
    }).compile();
    await module.init();
    const store = module.get(EventStoreDouble, { strict: false });
    await store.seed({ aggregateType: 'test-account', aggregateId: 'a-1' }, deposits(1));
    await untilProjected(module);
    const { projected } = module.get(BookkeepingDouble, { strict: false });
    expect(projected).toEqual([{ projection: 'balances', writes: [put('a-1', 5)] }]);
    await module.close();
  });
});
