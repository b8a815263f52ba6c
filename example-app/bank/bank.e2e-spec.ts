import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from '../app.module.js';
import { openDatabase, type Database } from '../database.js';
import { configureHttp } from '../http.js';

interface Balance {
  readonly cents: number;
  readonly isClosed: boolean;
  readonly version: number;
}

interface Entry {
  readonly version: number;
  readonly time: string;
  readonly user: string | null;
  readonly type: string;
  readonly data: object;
  readonly commitId: string;
}

let database: Database;
let app: INestApplication;
let url: string;

beforeAll(async () => {
  database = await openDatabase(`bank-${randomUUID()}`);
  app = await NestFactory.create(AppModule.on(database.options, database.accountViews), {
    logger: false,
    abortOnError: false,
  });
  configureHttp(app);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});

afterAll(async () => {
  await app.close();
  await database.stop();
});

async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  headers = {},
): Promise<{ status: number; body: T }> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
}

async function status(method: string, path: string, body?: unknown): Promise<number> {
  return (await request(method, path, body)).status;
}

async function openAccount(cents = 0): Promise<string> {
  const { body } = await request<{ id: string }>('POST', '/accounts', { owner: 'Ada' });
  if (cents > 0) await request('POST', `/accounts/${body.id}/deposits`, { cents });
  return body.id;
}

async function balanceOf(id: string): Promise<Balance> {
  return (await request<Balance>('GET', `/accounts/${id}/balance`)).body;
}

async function historyOf(id: string): Promise<Entry[]> {
  return (await request<Entry[]>('GET', `/accounts/${id}/history`)).body;
}

describe('the life of an account', () => {
  it('is opened, paid into, drawn from, emptied and closed', async () => {
    const opened = await request<{ id: string }>('POST', '/accounts', { owner: 'Ada' });
    expect(opened.status).toBe(201);
    const account = `/accounts/${opened.body.id}`;

    expect(await status('POST', `${account}/deposits`, { cents: 1000 })).toBe(204);
    expect(await status('POST', `${account}/withdrawals`, { cents: 300 })).toBe(204);
    expect(await request('GET', `${account}/balance`)).toEqual({
      status: 200,
      body: { id: opened.body.id, owner: 'Ada', cents: 700, isClosed: false, version: 3 },
    });

    expect(await status('DELETE', account)).toBe(409);
    expect(await status('POST', `${account}/withdrawals`, { cents: 700 })).toBe(204);
    expect(await status('DELETE', account)).toBe(204);
    expect(await balanceOf(opened.body.id)).toMatchObject({ cents: 0, isClosed: true, version: 5 });
  });

  it('is remembered: what, when and by whom', async () => {
    const { body } = await request<{ id: string }>('POST', '/accounts', { owner: 'Ada' }, { 'x-user-id': 'clerk-7' });
    await request('POST', `/accounts/${body.id}/deposits`, { cents: 250 });

    const [opened, deposited] = await historyOf(body.id);

    expect(opened).toMatchObject({ version: 1, user: 'clerk-7', type: 'bank.AccountOpened', data: { owner: 'Ada' } });
    expect(deposited).toMatchObject({ version: 2, user: null, type: 'bank.MoneyDeposited', data: { cents: 250 } });
    expect(Date.parse(deposited!.time)).toBeGreaterThan(Date.parse(opened!.time));
  });

  it('shows the balance as it was', async () => {
    const id = await openAccount(1000);
    await request('POST', `/accounts/${id}/withdrawals`, { cents: 400 });
    const [opened, deposited] = await historyOf(id);
    const at = (time: string) => request<Balance>('GET', `/accounts/${id}/balance?at=${encodeURIComponent(time)}`);

    expect(await at(opened!.time)).toMatchObject({ status: 200, body: { cents: 0, version: 1 } });
    expect(await at(deposited!.time)).toMatchObject({ status: 200, body: { cents: 1000, version: 2 } });
    expect(await at('2999-01-01T00:00:00+02:00')).toMatchObject({ status: 200, body: { cents: 600, version: 3 } });
    expect(await at(new Date(Date.parse(opened!.time) - 1).toISOString())).toMatchObject({ status: 404 });
  });
});

describe('an alias', () => {
  it('belongs to one account at a time, and is free when that is closed', async () => {
    const alias = `a-${randomUUID()}`.slice(0, 40);
    const first = await request<{ id: string }>('POST', '/accounts', { owner: 'Ada', alias });
    expect(first.status).toBe(201);

    const second = await request<{ error: string; message: string }>('POST', '/accounts', { owner: 'Bob', alias });
    expect(second).toMatchObject({ status: 409, body: { error: 'UNIQUE_CONSTRAINT' } });
    expect(second.body.message).not.toContain(alias);

    expect(await status('DELETE', `/accounts/${first.body.id}`)).toBe(204);
    expect(await status('POST', '/accounts', { owner: 'Bob', alias })).toBe(201);
    expect(await status('POST', '/accounts', { owner: 'Bob', alias: 'Not This!' })).toBe(400);
  });
});

describe('a request with an idempotency key', () => {
  it('is carried out once, and answered alike each time', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const open = () => request<{ id: string }>('POST', '/accounts', { owner: 'Ada' }, key);
    const [first, again] = [await open(), await open()];
    expect(again).toEqual(first);

    const deposit = (cents: number) =>
      request<{ error: string }>('POST', `/accounts/${first.body.id}/deposits`, { cents }, key);
    const answers = await Promise.all([deposit(500), deposit(500), deposit(500)]);
    expect(answers.map((answer) => answer.status)).toEqual([204, 204, 204]);
    expect(await balanceOf(first.body.id)).toMatchObject({ cents: 500, version: 2 });

    expect(await deposit(501)).toMatchObject({ status: 409, body: { error: 'DUPLICATE_COMMAND' } });
  });
});

describe('what a user did', () => {
  it('is told over all accounts, for a span of time, the newest first', async () => {
    const user = { 'x-user-id': `clerk ${randomUUID()}` };
    const open = async () => (await request<{ id: string }>('POST', '/accounts', { owner: 'Ada' }, user)).body.id;
    const [a, b] = [await open(), await open()];
    await request('POST', `/accounts/${a}/deposits`, { cents: 5 }, user);
    await request('POST', `/accounts/${b}/deposits`, { cents: 6 }, { 'x-user-id': 'another' });
    const path = `/users/${encodeURIComponent(user['x-user-id'])}/actions`;
    const actions = async (query = '') =>
      (await request<{ of: string; id: string; type: string; time: string }[]>('GET', path + query)).body;

    const all = await actions();
    expect(all.map(({ of, id, type }) => [of, id, type])).toEqual([
      ['account', a, 'bank.MoneyDeposited'],
      ['account', b, 'bank.AccountOpened'],
      ['account', a, 'bank.AccountOpened'],
    ]);
    expect(await actions(`?from=${all[1]!.time}&to=${all[1]!.time}`)).toEqual([all[1]]);
    expect(await actions('?limit=1')).toEqual([all[0]]);
    expect(await status('GET', `${path}?from=yesterday`)).toBe(400);
  });
});

describe('a transfer', () => {
  it('changes both accounts in one commit', async () => {
    const [from, to] = [await openAccount(1000), await openAccount()];

    expect(await status('POST', `/accounts/${from}/transfers`, { to, cents: 400 })).toBe(204);

    expect(await balanceOf(from)).toMatchObject({ cents: 600 });
    expect(await balanceOf(to)).toMatchObject({ cents: 400 });
    const [sent, received] = [(await historyOf(from)).at(-1)!, (await historyOf(to)).at(-1)!];
    expect(sent).toMatchObject({ type: 'bank.TransferSent', data: { cents: 400, toAccount: to } });
    expect(received).toMatchObject({ type: 'bank.TransferReceived', data: { cents: 400, fromAccount: from } });
    expect(received.commitId).toBe(sent.commitId);
  });

  it('changes neither when the receiver is closed, which shows only after the sender has paid', async () => {
    const [from, to] = [await openAccount(1000), await openAccount()];
    await request('DELETE', `/accounts/${to}`);

    expect(await status('POST', `/accounts/${from}/transfers`, { to, cents: 400 })).toBe(409);

    expect(await balanceOf(from)).toMatchObject({ cents: 1000, version: 2 });
    expect(await balanceOf(to)).toMatchObject({ cents: 0, version: 2 });
  });

  it('changes neither when there is too little money, no receiver, or only one account', async () => {
    const [from, to] = [await openAccount(100), await openAccount()];

    expect(await status('POST', `/accounts/${from}/transfers`, { to, cents: 101 })).toBe(422);
    expect(await status('POST', `/accounts/${from}/transfers`, { to: 'nobody', cents: 1 })).toBe(404);
    expect(await status('POST', `/accounts/${from}/transfers`, { to: from, cents: 1 })).toBe(400);

    expect(await balanceOf(from)).toMatchObject({ cents: 100, version: 2 });
    expect(await balanceOf(to)).toMatchObject({ cents: 0, version: 1 });
  });

  it('keeps the sum when many cross', async () => {
    const accounts = [await openAccount(1000), await openAccount(1000), await openAccount(1000)];
    const pairs = accounts.flatMap((from) => accounts.filter((to) => to !== from).map((to) => ({ from, to })));

    const statuses = await Promise.all(
      pairs.map(({ from, to }) => status('POST', `/accounts/${from}/transfers`, { to, cents: 100 })),
    );

    for (const code of statuses) expect([204, 409]).toContain(code);
    const balances = await Promise.all(accounts.map(balanceOf));
    expect(balances.reduce((sum, { cents }) => sum + cents, 0)).toBe(3000);
    // Each transfer that was answered with success left one event on each side.
    const events = balances.reduce((sum, { version }) => sum + version - 2, 0);
    expect(events).toBe(2 * statuses.filter((code) => code === 204).length);
  });
});

describe('deposits at the same moment', () => {
  it('are all there: none is lost and none counted twice', async () => {
    const id = await openAccount();
    const deposit = async (): Promise<void> => {
      const answer = await status('POST', `/accounts/${id}/deposits`, { cents: 1 });
      // What loses every race is refused with 409, and the client sends it again.
      if (answer === 409) return deposit();
      expect(answer).toBe(204);
    };

    await Promise.all(Array.from({ length: 20 }, deposit));

    expect(await balanceOf(id)).toMatchObject({ cents: 20, version: 21 });
  });
});

describe('a request that makes no sense', () => {
  it.each([
    ['no owner', '/accounts', {}],
    ['an empty owner', '/accounts', { owner: '' }],
    ['a field too many', '/accounts', { owner: 'Ada', balance: 1_000_000 }],
    ['no amount', '/accounts/a/deposits', {}],
    ['nothing', '/accounts/a/deposits', { cents: 0 }],
    ['a debt', '/accounts/a/deposits', { cents: -5 }],
    ['half a cent', '/accounts/a/withdrawals', { cents: 0.5 }],
    ['a text as amount', '/accounts/a/withdrawals', { cents: '5' }],
    ['more than there is in the world', '/accounts/a/deposits', { cents: 1e300 }],
    ['no receiver', '/accounts/a/transfers', { cents: 5 }],
  ])('is answered with 400: %s', async (_, path, body) => {
    expect(await status('POST', path, body)).toBe(400);
  });

  it.each(['yesterday', '2024-02-31T00:00:00Z', '2024-02-01T00:00:00', ''])(
    'is answered with 400: a balance as of "%s"',
    async (at) => {
      expect(await status('GET', `/accounts/a/balance?at=${at}`)).toBe(400);
    },
  );
});

describe('an account that does not exist', () => {
  it.each([
    ['GET', '/accounts/nobody/balance'],
    ['GET', '/accounts/nobody/history'],
    ['GET', '/accounts/nobody/balance?at=2999-01-01T00:00:00Z'],
    ['DELETE', '/accounts/nobody'],
  ])('is answered with 404: %s %s', async (method, path) => {
    const { status: code, body } = await request(method, path);

    expect({ code, body }).toEqual({
      code: 404,
      body: { statusCode: 404, error: 'AGGREGATE_NOT_FOUND', message: 'There is no account "nobody".' },
    });
  });
});

it('a closed account takes no money', async () => {
  const id = await openAccount();
  await request('DELETE', `/accounts/${id}`);

  expect(await status('POST', `/accounts/${id}/deposits`, { cents: 1 })).toBe(409);
  expect(await status('POST', `/accounts/${id}/withdrawals`, { cents: 1 })).toBe(409);
  expect(await status('DELETE', `/accounts/${id}`)).toBe(409);
});

describe('the API description', () => {
  it('is served as a page and as JSON', async () => {
    const page = await fetch(`${url}/docs`);
    const { body } = await request<{ paths: object }>('GET', '/docs-json');

    expect(await page.text()).toContain('swagger-ui');
    expect(Object.keys(body.paths)).toEqual([
      '/accounts',
      '/accounts/{id}/deposits',
      '/accounts/{id}/withdrawals',
      '/accounts/{id}/transfers',
      '/accounts/{id}',
      '/accounts/{id}/balance',
      '/accounts/{id}/history',
      '/accounts/{id}/statement',
      '/permit-cases/{id}/steps',
      '/permit-cases',
      '/users/{id}/actions',
      '/permit-statistics',
      '/permit-cases/changed',
    ]);
  });
});
