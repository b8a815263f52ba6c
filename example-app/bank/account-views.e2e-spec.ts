import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import { CommandContext, Subscriptions } from 'nestjs-dynamodb-event-store';
import { AppModule } from '../app.module.js';
import { openDatabase, type Database } from '../database.js';
import { compareAccountViews } from '../demo/compare-account-views.js';
import { until } from '../../test/setup/until.js';
import { untilCaughtUp } from '../demo/until-caught-up.js';
import { configureHttp } from '../http.js';
import { AccountViews } from './account-views.js';
import { CloseAccount } from './close-account.js';
import { DepositMoney } from './deposit-money.js';
import { OpenAccount } from './open-account.js';
import { TransferMoney } from './transfer-money.js';
import { WithdrawMoney } from './withdraw-money.js';

let database: Database;
let app: INestApplication;
let subscriptions: Subscriptions;
let url: string;

beforeAll(async () => {
  database = await openDatabase(`account-views-${randomUUID()}`);
  app = await NestFactory.create(
    AppModule.on(
      { ...database.options, subscriptions: { marginMs: 5, pollMs: 10, backtrackMs: 1500 } },
      database.accountViews,
    ),
    { logger: false, abortOnError: false },
  );
  configureHttp(app);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
  subscriptions = app.get(Subscriptions, { strict: false });
});

afterAll(async () => {
  await app.close();
  await database.stop();
});

function execute<T>(command: object): Promise<T> {
  return CommandContext.run({ userId: 'clerk-7' }, () => app.get(CommandBus, { strict: false }).execute(command));
}

async function get<T>(path: string): Promise<{ status: number; body: T }> {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, body: (await response.json()) as T };
}

interface Shown {
  readonly id: string;
  readonly version: number;
}

async function accounts(): Promise<ReadonlyMap<string, Shown>> {
  const all: Shown[] = [];
  for (let page: Shown[] = [], more = true; more; more = page.length > 0) {
    const after = all.at(-1)?.id;
    page = (await get<Shown[]>(`/accounts?limit=2${after ? `&after=${after}` : ''}`)).body;
    all.push(...page);
  }
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  return new Map(all.map((account) => [account.id, account]));
}

/** Waits until the view has seen an account up to a version. */
async function seen(id: string, version: number): Promise<void> {
  const views = app.get(AccountViews, { strict: false });
  await until(async () => (await views.balance(id))?.version === version);
}

describe('the views of accounts', () => {
  it('show balances, and a statement line for each movement', async () => {
    const ada = await execute<string>(new OpenAccount('Ada'));
    const bob = await execute<string>(new OpenAccount('Bob', `bob-${randomUUID().slice(0, 8)}`));
    await execute(new DepositMoney(ada, 1000));
    await execute(new WithdrawMoney(ada, 300));
    await execute(new TransferMoney(ada, bob, 200));
    await Promise.all([seen(ada, 4), seen(bob, 2)]);

    expect((await accounts()).get(ada)).toEqual({
      id: ada,
      owner: 'Ada',
      alias: null,
      cents: 500,
      isClosed: false,
      version: 4,
    });
    expect((await accounts()).get(bob)).toMatchObject({ owner: 'Bob', cents: 200, version: 2 });
    const { body } = await get<Shown[]>(`/accounts/${ada}/statement`);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
    const line = { time, otherAccount: null, user: 'clerk-7' };
    expect(body).toEqual([
      { ...line, version: 2, type: 'bank.MoneyDeposited', cents: 1000 },
      { ...line, version: 3, type: 'bank.MoneyWithdrawn', cents: -300 },
      { ...line, version: 4, type: 'bank.TransferSent', cents: -200, otherAccount: bob },
    ]);
    expect((await get(`/accounts/${ada}/statement?limit=1&after=2`)).body).toEqual([body[1]]);
  });

  it('show a closed account, and no account that is not there', async () => {
    const id = await execute<string>(new OpenAccount('Cy'));
    await execute(new CloseAccount(id));
    await seen(id, 2);

    expect((await accounts()).get(id)).toMatchObject({ isClosed: true, cents: 0, version: 2 });
    expect(await get(`/accounts/${id}/statement`)).toEqual({ status: 200, body: [] });
    expect(await get('/accounts/nobody/statement')).toMatchObject({ status: 404 });
    expect(await get('/accounts?limit=0')).toMatchObject({ status: 400 });
  });

  it('count nothing twice when events come again', async () => {
    const id = await execute<string>(new OpenAccount('Dan'));
    await execute(new DepositMoney(id, 1));
    // Later than the opening, with which a replay from the beginning would set the account back.
    const { time } = (await get<{ time: string }[]>(`/accounts/${id}/history`)).body[1]!;
    for (const cents of [20, 300]) await execute(new DepositMoney(id, cents));
    await seen(id, 4);
    await subscriptions.reset('account-balances', new Date(time));
    // Handled behind all that comes again of this account.
    await execute(new DepositMoney(id, 4000));
    await seen(id, 5);

    expect((await accounts()).get(id)).toMatchObject({ cents: 4321, version: 5 });
    expect((await get<Shown[]>(`/accounts/${id}/statement`)).body.map(({ version }) => version)).toEqual([2, 3, 4, 5]);
  });

  it('are compared with what they are to show, in the demo', async () => {
    const id = await execute<string>(new OpenAccount('Eve'));
    for (const cents of [7, 8]) await execute(new DepositMoney(id, cents));
    await seen(id, 3);
    const compare = (owner: string, fees: readonly number[]) =>
      compareAccountViews(app.get(AccountViews, { strict: false }), new Map([[owner, fees]]));
    const count = expect.stringMatching(/^There are \d+ accounts, not 1\.$/);

    expect(await compare('Eve', [7, 8])).toEqual([count]);
    expect(await compare('Eve', [8, 7])).toEqual([count, expect.stringContaining('The statement of Eve')]);
    expect(await compare('Eve', [7, 9])).toContain('The account of Eve shows 15, not 16 cents.');
    expect(await compare('Nobody', [1])).toContain('The account of Nobody shows no balance, not 1 cents.');
  });

  it('say which projection is stuck', async () => {
    await subscriptions.pause('account-balances');
    await expect(untilCaughtUp(subscriptions, ['account-balances'])).rejects.toThrow(
      'The projection account-balances will not catch up: it is paused',
    );
    await subscriptions.resume('account-balances');
  });
});
