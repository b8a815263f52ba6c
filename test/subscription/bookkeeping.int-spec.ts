import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from '@jest/globals';
import { provisionTables } from '../../src/index.js';
import { DynamoDbBookkeeping } from '../../src/dynamodb/dynamodb-bookkeeping.js';
import type { Bookkeeping } from '../../src/store/bookkeeping.js';
import { InMemoryBookkeeping } from '../../src/store/in-memory-bookkeeping.js';
import { positionContract } from '../contract/position-contract.js';
import { newClient, newTableNames } from '../setup/database.js';

const client = newClient();
afterAll(() => client.destroy());

const open = {
  memory: async (): Promise<Bookkeeping> => new InMemoryBookkeeping(),
  dynamodb: async (): Promise<Bookkeeping> => {
    const tables = newTableNames();
    await provisionTables(client, tables);
    return new DynamoDbBookkeeping({ client, tableName: tables.bookkeeping, deadlineMs: 10_000 });
  },
};

describe.each(['memory', 'dynamodb'] as const)('bookkeeping, %s', (storage) => {
  positionContract(open[storage]);

  const subject = () => ['test', randomUUID()];

  it('keeps entries by subject, with what was written last', async () => {
    const bookkeeping = await open[storage]();
    const [mine, others] = [subject(), subject()];
    expect(await bookkeeping.entries(mine)).toEqual([]);
    expect(await bookkeeping.write(mine, 'a', { text: '#%', list: [1] }, 0)).toBe(true);
    expect(await bookkeeping.write(mine, 'b', {}, 0)).toBe(true);
    expect(await bookkeeping.write(others, 'a', { other: true }, 0)).toBe(true);
    expect(await bookkeeping.write(mine, 'a', { text: 'new' }, 1)).toBe(true);
    expect(await bookkeeping.entries(mine)).toEqual([
      { id: 'a', revision: 2, value: { text: 'new' } },
      { id: 'b', revision: 1, value: {} },
    ]);
  });

  it('finds one entry by its subject and id', async () => {
    const bookkeeping = await open[storage]();
    const [mine, others] = [subject(), subject()];
    await bookkeeping.write(mine, 'a', { text: 'old' }, 0);
    await bookkeeping.write(mine, 'a', { text: 'new' }, 1);
    await bookkeeping.write(mine, 'ab', {}, 0);
    expect(await bookkeeping.entry(mine, 'a')).toEqual({ id: 'a', revision: 2, value: { text: 'new' } });
    expect(await bookkeeping.entry(mine, 'aa')).toBeUndefined();
    expect(await bookkeeping.entry(others, 'a')).toBeUndefined();
  });

  it('lets one of several writers in who saw the same revision', async () => {
    const bookkeeping = await open[storage]();
    const mine = subject();
    const firsts = await Promise.all([1, 2, 3].map((value) => bookkeeping.write(mine, 'a', { value }, 0)));
    expect(firsts.filter(Boolean)).toHaveLength(1);
    const seconds = await Promise.all([1, 2, 3].map((value) => bookkeeping.write(mine, 'a', { value }, 1)));
    expect(seconds.filter(Boolean)).toHaveLength(1);
    expect(await bookkeeping.write(mine, 'a', {}, 1)).toBe(false);
    expect(await bookkeeping.write(mine, 'a', {}, 7)).toBe(false);
    expect((await bookkeeping.entries(mine))[0]!.revision).toBe(2);
  });

  it('removes an entry at the revision that was seen only', async () => {
    const bookkeeping = await open[storage]();
    const mine = subject();
    await bookkeeping.write(mine, 'a', {}, 0);
    await bookkeeping.write(mine, 'a', {}, 1);
    expect(await bookkeeping.remove(mine, 'a', 1)).toBe(false);
    expect(await bookkeeping.remove(mine, 'a', 2)).toBe(true);
    expect(await bookkeeping.remove(mine, 'a', 2)).toBe(false);
    expect(await bookkeeping.entries(mine)).toEqual([]);
  });

  it('moves positions forward, all together, and never over a version again', async () => {
    const bookkeeping = await open[storage]();
    const projection = 'p';
    const [a, b] = ['a', 'b'].map((aggregateId) => ({ aggregateType: 't', aggregateId })) as [never, never];
    const step = (stream: never, fromVersion: number, version: number) => ({
      projection,
      stream,
      fromVersion,
      version,
    });
    const stored = { kind: 'stored' };
    expect(await bookkeeping.project([step(a, 1, 1), step(b, 1, 2)], [])).toEqual(stored);
    expect(await bookkeeping.project([step(a, 2, 2), step(b, 2, 3)], [])).toEqual({ kind: 'passed', index: 1 });
    expect(await bookkeeping.project([step(b, 1, 3)], [])).toEqual({ kind: 'passed', index: 0 });
    expect(await bookkeeping.project([step(a, 2, 2), step(b, 3, 3)], [])).toEqual(stored);
    expect(await bookkeeping.project([step(a, 2, 2)], [])).toEqual({ kind: 'passed', index: 0 });
    // Versions in which there was nothing to write have no position.
    expect(await bookkeeping.project([step(a, 9, 9)], [])).toEqual(stored);
    expect(await bookkeeping.project([{ ...step(a, 1, 1), projection: 'other' }], [])).toEqual(stored);
    const tenants = { tenantId: 'x', aggregateType: 't', aggregateId: 'a' };
    expect(await bookkeeping.project([{ projection, stream: tenants, fromVersion: 1, version: 1 }], [])).toEqual(
      stored,
    );
  });
});

it('reads more entries than one deadline has time for, page by page', async () => {
  const tables = newTableNames();
  await provisionTables(client, tables);
  const slow = newClient();
  const [deadlineMs, SLOWNESS, ENTRIES] = [2000, 0.2, 18];
  let queries = 0;
  slow.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName === 'QueryCommand') {
          queries++;
          await new Promise((resolve) => setTimeout(resolve, SLOWNESS * deadlineMs));
        }
        return next(args);
      },
    { step: 'initialize', name: 'slow' },
  );
  const bookkeeping = new DynamoDbBookkeeping({ client: slow, tableName: tables.bookkeeping, deadlineMs });
  const text = 'x'.repeat(390_000);
  for (let index = 0; index < ENTRIES; index++) await bookkeeping.write(['large'], String(index), { text }, 0);
  expect(await bookkeeping.entries(['large'])).toHaveLength(ENTRIES);
  expect(queries * SLOWNESS).toBeGreaterThan(1);
  slow.destroy();
});
