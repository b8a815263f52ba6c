import { setTimeout as delay } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Subscriptions } from 'nestjs-dynamodb-event-store';
import { AccountViews } from '../bank/account-views.js';
import { CHANGED_CASES, ChangedCases } from '../permit-office/changed-cases.js';
import type { LogCounts } from '../permit-office/count-log.js';
import { PermitStatistics } from '../permit-office/permit-statistics.js';
import { compareAccountViews } from './compare-account-views.js';
import { compareChangedCases } from './compare-changed-cases.js';
import { comparePermitStatistics } from './compare-permit-statistics.js';
import { bookFees, feesOf } from './fees.js';
import { Progress } from './progress.js';
import { number, quantity } from './quantity.js';
import { untilCaughtUp } from './until-caught-up.js';

/** No commit takes longer than `deadlineMs`, 10 s; what shows so late is read again about 11 to 17 s after its time. */
const LATEST_MS = 20_000;
const ASK_EVERY_MS = 500;

export interface CompareViewsOptions {
  /** Whether the application keeps views of accounts. */
  readonly accounts: boolean;
  readonly signal: AbortSignal;
}

/**
 * Compares the views, which projections keep, with what is counted from the log, and prints what it finds. So that
 * there are accounts, it books the fee of each case to whoever is responsible for it.
 *
 * @returns whether all are equal
 */
export async function compareViews(
  app: INestApplicationContext,
  counts: LogCounts,
  { accounts, signal }: CompareViewsOptions,
): Promise<boolean> {
  const fees = feesOf(counts);
  if (accounts) await bookWithTime(app.get(CommandBus, { strict: false }), fees, signal);
  const names = ['permit-statistics', ...(accounts ? ['account-balances'] : [])];
  await catchUp(app.get(Subscriptions, { strict: false }), names, signal);

  const statistics = app.get(PermitStatistics, { strict: false });
  const statisticsEqual = report(
    `Permit statistics of ${quantity(counts.steps.size, 'step')} and ${quantity(counts.users.size, 'user')}`,
    await lastingDifferences(async () => comparePermitStatistics(await statistics.all(), counts), signal),
  );
  const changed = app.get(ChangedCases, { strict: false });
  const changedEqual = report(
    `${quantity(Math.min(CHANGED_CASES, counts.cases.size), 'case')} that changed last, with their last steps`,
    await lastingDifferences(async () => compareChangedCases(await changed.last(), counts.cases), signal),
  );
  const casesEqual = statisticsEqual && changedEqual;
  if (!accounts) return casesEqual;
  const lines = [...fees.values()].flat().length;
  const accountsEqual = report(
    `${quantity(fees.size, 'account balance')} and ${quantity(lines, 'statement line')}`,
    await lastingDifferences(() => compareAccountViews(app.get(AccountViews, { strict: false }), fees), signal),
  );
  return casesEqual && accountsEqual;
}

async function bookWithTime(commands: CommandBus, fees: ReturnType<typeof feesOf>, signal: AbortSignal): Promise<void> {
  const deposits = [...fees.values()].flat().length;
  console.log(`Booking the fee of each case: ${quantity(fees.size, 'account')}, ${quantity(deposits, 'deposit')}.`);
  const started = performance.now();
  await bookFees(fees, { commands, signal });
  console.log(`${number(fees.size + deposits)} commands in ${secondsSince(started)} s.`);
}

async function catchUp(subscriptions: Subscriptions, names: readonly string[], signal: AbortSignal): Promise<void> {
  const started = performance.now();
  let lag = 0;
  const progress = new Progress(() => `${quantity(lag, 'event')} to go until the views have caught up`);
  try {
    await untilCaughtUp(subscriptions, names, { signal, onLag: (events) => (lag = events) });
  } finally {
    progress.end();
  }
  console.log(`The views had caught up after ${secondsSince(started)} s: ${names.join(', ')}.`);
}

/** Differences that do not go away when the last late event has come. */
async function lastingDifferences(
  compare: () => Promise<readonly string[]>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const end = performance.now() + LATEST_MS;
  for (;;) {
    const differences = await compare();
    if (differences.length === 0 || performance.now() > end) return differences;
    await delay(ASK_EVERY_MS, undefined, { signal });
  }
}

function report(what: string, differences: readonly string[]): boolean {
  if (differences.length === 0) console.log(`${what}: equal to what is counted from the file.`);
  else {
    console.error(`${what}: not what is counted from the file:`);
    for (const difference of differences) console.error(`  ${difference}`);
  }
  return differences.length === 0;
}

function secondsSince(started: number): string {
  return ((performance.now() - started) / 1000).toFixed(1);
}
