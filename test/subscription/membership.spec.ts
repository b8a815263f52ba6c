import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { InMemoryBookkeeping } from '../../src/store/in-memory-bookkeeping.js';
import { Membership } from '../../src/subscription/membership.js';

const LEASE_MS = 300;

let bookkeeping: InMemoryBookkeeping;
let now: number;
let one: Membership;
let other: Membership;

beforeEach(async () => {
  bookkeeping = new InMemoryBookkeeping();
  now = 5000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  one = new Membership(bookkeeping, LEASE_MS);
  other = new Membership(bookkeeping, LEASE_MS);
  await renew(one);
  await renew(other);
});
afterEach(() => {
  jest.restoreAllMocks();
});

async function renew(process: Membership): Promise<void> {
  await process.renew(['seen'], false);
}

/** What the last look has shown. */
const others = (process: Membership) => process.workersOf('seen').filter((id) => id !== process.id);

it('counts a process as dead that was not seen to write for a lease time', async () => {
  expect(others(other)).toEqual([one.id]);
  now += LEASE_MS - 1;
  await renew(other);
  expect(others(other)).toEqual([one.id]);
  now += 1;
  await renew(other);
  expect(others(other)).toEqual([]);
  await renew(one);
  await renew(other);
  expect(others(other)).toEqual([one.id]);
});

it('counts it so by the time of the answer, where that comes in time', async () => {
  const entries = bookkeeping.entries.bind(bookkeeping);
  const slow = jest.spyOn(bookkeeping, 'entries').mockImplementation(async (subject) => {
    const found = await entries(subject);
    now += LEASE_MS / 6;
    return found;
  });
  await renew(one);
  await renew(other);
  const seenAt = now;
  now += LEASE_MS - LEASE_MS / 6;
  await renew(other);
  expect(now).toBe(seenAt + LEASE_MS);
  expect(others(other)).toEqual([]);
  slow.mockRestore();
});

it('counts no process as dead because it stood still itself', async () => {
  now += 2 * LEASE_MS;
  expect(other.isCurrent).toBe(false);
  expect(others(other)).toEqual([one.id]);
});

it('counts no process as dead because it was long in hearing of it', async () => {
  const entries = bookkeeping.entries.bind(bookkeeping);
  const slow = jest.spyOn(bookkeeping, 'entries').mockImplementationOnce(async (subject) => {
    const found = await entries(subject);
    now += 2 * LEASE_MS;
    return found;
  });
  await renew(other);
  slow.mockRestore();
  expect(others(other)).toEqual([one.id]);
});

it('looks anew for who may hold what it is about to take', async () => {
  const newcomer = new Membership(bookkeeping, LEASE_MS);
  await renew(newcomer);
  expect(others(other)).toEqual([one.id]);
  expect(await other.aliveAt('seen')).toEqual(new Set([one.id, other.id, newcomer.id]));
  expect(await other.aliveAt('another')).toEqual(new Set());
});
