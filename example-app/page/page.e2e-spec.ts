import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Chromium, ChromiumMissingError, findChromium, type ChromiumPage } from '../../test/setup/chromium.js';
import { until } from '../../test/setup/until.js';
import { AppModule } from '../app.module.js';
import { openDatabase, type Database } from '../database.js';
import { configureHttp } from '../http.js';

let database: Database;
let app: INestApplication;
let url: string;
let chromium: Chromium;

beforeAll(async () => {
  // Without a browser this fails with the name of the package, and nothing else is started.
  chromium = await Chromium.start();
  database = await openDatabase(`page-${randomUUID()}`);
  const options = { ...database.options, subscriptions: { marginMs: 5, pollMs: 10 } };
  app = await NestFactory.create(AppModule.on(options, database.accountViews), { logger: false, abortOnError: false });
  configureHttp(app);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
}, 60_000);

afterAll(async () => {
  await chromium?.stop();
  await app?.close();
  await database?.stop();
});

async function post<T>(path: string, body: object, user = 'clerk-7'): Promise<T | undefined> {
  const headers = { 'content-type': 'application/json', 'x-user-id': user };
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(response.ok).toBe(true);
  return response.status === 204 ? undefined : ((await response.json()) as T);
}

async function shows(page: ChromiumPage, selector: string, expected: readonly string[]): Promise<void> {
  const texts = async () => (await page.texts(selector)).map((text) => text.split('\t').join(' | '));
  await until(async () => JSON.stringify(await texts()) === JSON.stringify(expected)).catch(() => {});
  expect(await texts()).toEqual(expected);
}

describe('the page, in Chromium', () => {
  it('shows accounts and cases changing while it stays open', async () => {
    const page = await chromium.open(url);
    await shows(page, 'h1', ['Accounts and permit cases']);
    await shows(page, '#accounts tr', []);
    await page.value('window.stayedOpen = true');

    const { id } = (await post<{ id: string }>('/accounts', { owner: 'Ada <b>' }))!;
    await shows(page, '#accounts tr', ['Ada <b> | 0.00 | 1']);
    await post(`/accounts/${id}/deposits`, { cents: 1250 });
    await shows(page, '#accounts tr', ['Ada <b> | 12.50 | 2']);
    await post('/accounts', { owner: 'Abe' });
    await shows(page, '#accounts tr', ['Abe | 0.00 | 1', 'Ada <b> | 12.50 | 2']);

    await post('/permit-cases/case-1/steps', { step: 'Receive' }, 'u-1');
    await shows(page, '#steps tr', ['Receive | 1']);
    await post('/permit-cases/case-2/steps', { step: 'Receive' }, 'u-2');
    await post('/permit-cases/case-1/steps', { step: 'Decide' }, 'u-1');
    await shows(page, '#steps tr', ['Receive | 2', 'Decide | 1']);
    await shows(page, '#users tr', ['u-1 | 2', 'u-2 | 1']);
    await shows(page, '#cases', ['2']);

    const changed = '#changed td:nth-child(-n + 3)';
    await shows(page, changed, ['case-1', 'Decide', 'u-1', 'case-2', 'Receive', 'u-2']);
    await post('/permit-cases/case-2/steps', { step: 'Refuse' }, 'u-3');
    await shows(page, changed, ['case-2', 'Refuse', 'u-3', 'case-1', 'Decide', 'u-1']);
    const times = await page.value<string[]>(
      `fetch('/permit-cases/changed')
        .then((response) => response.json())
        .then((cases) => cases.map(({ storedAt }) => new Date(storedAt).toLocaleString()))`,
    );
    await shows(page, '#changed td:nth-child(4)', times);

    expect(await page.value('window.stayedOpen')).toBe(true);
    expect(chromium.failures).toEqual([]);
  }, 120_000);
});

describe('a machine without Chromium', () => {
  it('is told which package it lacks', () => {
    expect(() => findChromium('', ['/no/such/browser'])).toThrow(ChromiumMissingError);
    expect(() => findChromium('/no/such/browser')).toThrow('apt-get install chromium');
  });
});
