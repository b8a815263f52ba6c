import { Random } from '../random.js';

/** What one command does, by its number. */
export interface Booking {
  readonly number: number;
  /**
   * `open` adds new accounts without looking whether they are there. The others load: one after the other, side by
   * side, or each in a command of its own, which joins the outer one.
   */
  readonly manner: 'open' | 'in-order' | 'side-by-side' | 'nested';
  /** Each account once. */
  readonly entries: readonly BookingEntry[];
}

export interface BookingEntry {
  readonly account: number;
  /** One event each. */
  readonly changes: readonly number[];
}

export interface BookingPlanOptions {
  readonly seed: number;
  readonly commands: number;
  /** Between which commands choose, of those of one season. */
  readonly accounts: number;
  /** Share of the commands that go to hot accounts. */
  readonly hot: number;
}

const HOT_ACCOUNTS = 5;
/** After so many commands other accounts have their turn, as some are read whole with each command, and would grow without end. */
const SEASON = 5_000;
const MOST_ACCOUNTS = 10;

/** Deposits are larger than what is taken out, so that commands are refused sometimes, and not mostly. */
const LARGEST_DEPOSIT = 1_000;
const LARGEST_CHANGE = 100;

/** All commands of a run. Each follows from the seed and its number alone, so none needs to be kept. */
export class BookingPlan {
  constructor(readonly options: BookingPlanOptions) {}

  get size(): number {
    return this.options.commands;
  }

  booking(number: number): Booking {
    const random = new Random(this.options.seed ^ Math.imul(number + 1, 0x9e3779b1));
    const what = random.next();
    if (what < 0.1) return this.opening(number, random);
    if (what < 0.35) return this.single(number, random, LARGEST_DEPOSIT);
    if (what < 0.5) return this.single(number, random, -LARGEST_CHANGE);
    return this.transfer(number, random);
  }

  /** Mostly of accounts that nobody else opens, and some that others open or use as well. */
  private opening(number: number, random: Random): Booking {
    const { accounts, commands } = this.options;
    const seasons = Math.ceil(commands / SEASON);
    const account = random.chance(0.8)
      ? seasons * accounts + random.below(Math.ceil(commands / 8))
      : this.firstAccount(number) + random.below(accounts);
    return { number, manner: 'open', entries: [{ account, changes: changes(random, LARGEST_DEPOSIT) }] };
  }

  private single(number: number, random: Random, largest: number): Booking {
    const [account] = this.choose(number, random, 1) as [number];
    return { number, manner: 'in-order', entries: [{ account, changes: changes(random, largest) }] };
  }

  /** The first account gives what all the others get. */
  private transfer(number: number, random: Random): Booking {
    const count = 2 + (random.chance(0.7) ? 0 : random.below(MOST_ACCOUNTS - 1));
    const [giver, ...takers] = this.choose(number, random, count) as [number, ...number[]];
    const taken = takers.map((account) => ({ account, changes: changes(random, LARGEST_CHANGE) }));
    const total = taken.flatMap((entry) => entry.changes).reduce((sum, change) => sum + change, 0);
    const manner = random.pick(['in-order', 'side-by-side', 'nested'] as const);
    return { number, manner, entries: [{ account: giver, changes: [-total] }, ...taken] };
  }

  /** Of the season in which a command is. */
  private firstAccount(number: number): number {
    return Math.floor(number / SEASON) * this.options.accounts;
  }

  private choose(number: number, random: Random, count: number): number[] {
    const { accounts, hot } = this.options;
    const first = this.firstAccount(number);
    const isHot = random.chance(hot);
    const chosen = new Set<number>();
    while (chosen.size < Math.min(count, accounts)) {
      const hotOne = isHot && (chosen.size === 0 || random.chance(0.3));
      chosen.add(first + random.below(hotOne ? Math.min(HOT_ACCOUNTS, accounts) : accounts));
    }
    return [...chosen];
  }
}

/** @param largest below zero for withdrawals */
function changes(random: Random, largest: number): number[] {
  const change = () => Math.sign(largest) * (1 + random.below(Math.abs(largest)));
  return Array.from({ length: 1 + random.below(3) }, change);
}
