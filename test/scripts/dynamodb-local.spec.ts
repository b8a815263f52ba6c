import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { transformSync } from '@swc/core';
import { startDynamoDbLocal, type DynamoDbLocal, type DynamoDbLocalOptions } from '../../scripts/dynamodb-local.js';

const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WITHOUT_JAVA = { PATH: join(PACKAGE_ROOT, 'no-such-directory'), JAVA_HOME: undefined };

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

describe('startDynamoDbLocal', () => {
  it('answers DynamoDB requests, each start with tables of its own, until stop() resolves', async () => {
    const [first, second] = await Promise.all([start(), start()]);

    await createTable(first, 'accounts');

    expect(await tableNames(first)).toEqual(['accounts']);
    expect(await tableNames(second)).toEqual([]);

    const { pid, stop } = first;
    expect(isRunning(pid)).toBe(true);

    await stop();

    expect(isRunning(pid)).toBe(false);
    await expect(stop()).resolves.toBeUndefined();
  });

  it('keeps the tables in the data directory, and its port, also after a kill -9', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'dynamodb-local-'));
    stops.push(() => rmSync(parent, { recursive: true }));
    const dataDirectory = join(parent, 'data');
    const before = await start({ dataDirectory });
    await createTable(before, 'accounts');
    await before.stop();

    const after = await start({ dataDirectory });

    expect(await tableNames(after)).toEqual(['accounts']);

    process.kill(after.pid, 'SIGKILL');
    await after.stop();

    const again = await start({ dataDirectory, port: Number(new URL(after.endpoint).port) });

    expect(again.endpoint).toBe(after.endpoint);
    expect(await tableNames(again)).toEqual(['accounts']);
    await again.stop();
  }, 120_000);

  it('ends with a process that is killed', async () => {
    const parent = runScript(`
      const { pid } = await startDynamoDbLocal();
      console.log(pid);
      setInterval(() => {}, 60_000);
    `);
    const pid = Number(await firstOutput(parent));
    expect(isRunning(pid)).toBe(true);

    parent.kill('SIGKILL');

    await expectToEnd(pid);
  });

  it('neither keeps a process running nor outlives it when stop() is not called', async () => {
    const parent = runScript('console.log((await startDynamoDbLocal()).pid);');
    const [output, [exitCode]] = await Promise.all([text(parent.stdout!), once(parent, 'exit')]);

    expect(exitCode).toBe(0);
    await expectToEnd(Number(output));
  });

  it('says in one sentence what to do when there is no Java', async () => {
    const parent = runScript(
      `const error = await startDynamoDbLocal().catch((error) => error);
       console.log(JSON.stringify([error instanceof JavaMissingError, error.message]));`,
      WITHOUT_JAVA,
    );

    expect(JSON.parse(await text(parent.stdout!))).toEqual([
      true,
      'DynamoDB Local needs Java: install Java 11 or later (e.g. Debian: apt-get install default-jre-headless), ' +
        'or set DYNAMODB_ENDPOINT to a DynamoDB of your own.',
    ]);
  });
});

describe('dynamoDbEndpoint', () => {
  const script = `
    const dynamoDb = await dynamoDbEndpoint();
    console.log(dynamoDb.endpoint);
    await dynamoDb.stop();
  `;

  it('is the one of DYNAMODB_ENDPOINT, without starting anything', async () => {
    const parent = runScript(script, {
      DYNAMODB_ENDPOINT: 'http://dynamodb.test:8000',
      ...WITHOUT_JAVA,
    });

    expect(await text(parent.stdout!)).toBe('http://dynamodb.test:8000\n');
  });

  it('is a started DynamoDB Local without DYNAMODB_ENDPOINT, which lets its process end after stop()', async () => {
    const parent = runScript(script, { DYNAMODB_ENDPOINT: undefined });
    const [output, exit] = await Promise.all([text(parent.stdout!), once(parent, 'exit')]);

    expect(output).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n$/);
    expect(exit).toEqual([0, null]);
  });
});

async function start(options?: DynamoDbLocalOptions): Promise<DynamoDbLocal> {
  const started = await startDynamoDbLocal(options);
  stops.push(() => started.stop());
  return started;
}

/** Runs a script, which has the exports of scripts/dynamodb-local.ts at hand, in a Node process of its own. */
function runScript(script: string, env: NodeJS.ProcessEnv = {}): ChildProcess {
  const source = readFileSync(join(PACKAGE_ROOT, 'scripts', 'dynamodb-local.ts'), 'utf8');
  const { code } = transformSync(source, { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } });
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code + script], {
    cwd: PACKAGE_ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stops.push(() => child.kill('SIGKILL'));
  return child;
}

async function firstOutput(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout!, 'data')) as [Buffer];
  return chunk.toString();
}

function isRunning(pid: number): boolean {
  expect(pid).toBeGreaterThan(0);
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function expectToEnd(pid: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (isRunning(pid) && Date.now() < deadline) await delay(20);
  expect(isRunning(pid)).toBe(false);
}

async function createTable(to: DynamoDbLocal, name: string): Promise<void> {
  await request(to, 'CreateTable', {
    TableName: name,
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  });
}

async function tableNames(of: DynamoDbLocal): Promise<unknown> {
  const { TableNames } = (await request(of, 'ListTables', {})) as { TableNames?: unknown };
  return TableNames;
}

async function request({ endpoint }: DynamoDbLocal, operation: string, body: object): Promise<unknown> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-amz-json-1.0',
      'X-Amz-Target': `DynamoDB_20120810.${operation}`,
      Authorization:
        'AWS4-HMAC-SHA256 Credential=test/20200101/test/dynamodb/aws4_request, SignedHeaders=host, Signature=none',
    },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return response.json();
}
