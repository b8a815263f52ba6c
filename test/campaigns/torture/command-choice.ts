import type { Random } from '../random.js';
import type { Bookings } from './accounts.js';

export interface Choices {
  /** How many accounts there are; the first few of them are the hot ones. */
  readonly accounts: number;
  /** The share of commands that go to a hot account. */
  readonly hot: number;
}

const HOT_ACCOUNTS = 3;
const MOST_IN_A_TRANSFER = 10;

/** What a command books: several amounts on one account, a withdrawal, or a transfer over 2 to 10 accounts. */
export function chooseBookings(random: Random, { accounts, hot }: Choices): Bookings {
  const kind = random.next();
  if (kind < 0.35) return { [account()]: amounts(1 + random.below(4)) };
  if (kind < 0.5) return { [account()]: [-1 - random.below(50)] };
  const parties = new Set([account()]);
  const wanted = Math.min(accounts, 2 + random.below(MOST_IN_A_TRANSFER - 1));
  while (parties.size < wanted) parties.add(nameOf(random.below(accounts)));
  const [giver, ...takers] = parties;
  const shares = takers.map(() => 1 + random.below(20));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return Object.fromEntries([
    [giver!, [-total]],
    ...takers.map((taker, index) => [taker, [shares[index]!]]),
  ]) as Bookings;

  function account(): string {
    return nameOf(random.chance(hot) ? random.below(Math.min(HOT_ACCOUNTS, accounts)) : random.below(accounts));
  }

  function amounts(count: number): number[] {
    return Array.from({ length: count }, () => 1 + random.below(200));
  }
}

function nameOf(index: number): string {
  return `account-${index}`;
}
