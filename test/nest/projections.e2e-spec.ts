import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type AggregateRepository,
  CommandContext,
  EventStore,
  InjectAggregateRepository,
  On,
  Projection,
  type ProjectionContext,
  Subscriptions,
} from '../../src/index.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';
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
@Projection('seen')
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
    expect((await subscriptions.status('seen')).lag.events).toBe(3);
    expect((await collect(subscriptions.pending('seen'))).map(({ version }) => version).toSorted()).toEqual([1, 2, 3]);
    await subscriptions.resume('seen');
    await until(() => projection.seen.length >= 5);
    expect(projection.seen.filter(({ id }) => id === 'a').map(({ version }) => version)).toEqual([1, 2, 3]);
    await until(async () => (await subscriptions.status('seen')).lag.events === 0);
    expect(await collect(subscriptions.pending('seen'))).toEqual([]);
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

void MoneyWithdrawn;
