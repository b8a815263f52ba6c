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

it('counts a process as dead that was not seen to write for a lease time', async () => {
  expect(other.aliveAt('seen')).toEqual(new Set([one.id, other.id]));
  now += LEASE_MS - 1;
  await renew(other);
  expect(other.aliveAt('seen')).toEqual(new Set([one.id, other.id]));
  now += 1;
  await renew(other);
  expect(other.aliveAt('seen')).toEqual(new Set([other.id]));
  await renew(one);
  await renew(other);
  expect(other.aliveAt('seen')).toEqual(new Set([one.id, other.id]));
});

it('counts no process as dead because it stood still itself', async () => {
  now += 2 * LEASE_MS;
  expect(other.isCurrent).toBe(false);
  expect(other.aliveAt('seen')).toEqual(new Set([one.id, other.id]));
  expect(other.workersOf('seen')).toHaveLength(2);
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
  expect(other.aliveAt('seen')).toEqual(new Set([one.id, other.id]));
});
