import {
  CommitOutcomeUnknownError,
  ConcurrencyError,
  EventStoreUnavailableError,
  type EventStore,
  type TableNames,
} from '../../../src/index.js';
import { startFaultyProxy } from '../faulty-proxy.js';
import { NetworkWeather } from '../network-weather.js';
import { Random } from '../random.js';
import { clientFor } from '../tables.js';
import { NotEnoughMoney } from './account.js';
import { Book, startBank, type Bank } from './bank-application.js';
import { BookingPlan, type Booking, type BookingPlanOptions } from './booking-plan.js';
import type { EndedBooking, UnknownCommit } from './ended-booking.js';

/** The part of a run that one process does: each `processes`-th command from `process` on. */
export interface WritersJob extends BookingPlanOptions {
  readonly endpoint: string;
  readonly tables: TableNames;
  readonly process: number;
  readonly processes: number;
  /** How many commands are under way at a time. */
  readonly writers: number;
  readonly faults: number;
  readonly outages: number;
  readonly deadlineMs: number;
  readonly conflictRetries: number;
}

export interface WritersReport {
  readonly ended: readonly EndedBooking[];
  /** Since the last report. */
  readonly conflictsRetried: number;
  readonly requests: number;
  readonly faultsInjected: number;
}

const COMMANDS_A_REPORT = 50;

/** Longer than what a first attempt of the store waits: a late request meets its own repetition. */
const LATE_SHARE_OF_DEADLINE = 0.55;

/** Writers that each send one command after the other, through a Nest application behind a faulty network. */
export async function runWriters(job: WritersJob, send: (report: WritersReport) => void): Promise<void> {
  const { endpoint, tables, seed, deadlineMs, conflictRetries, faults, outages } = job;
  const plan = new BookingPlan(job);
  const client = clientFor(endpoint);
  const weather = new NetworkWeather(new Random(seed + job.process), { faults, outages, outageMs: deadlineMs * 1.5 });
  const proxy = await startFaultyProxy(endpoint, {
    choose: () => weather.choose(),
    lateMs: deadlineMs * LATE_SHARE_OF_DEADLINE,
  });
  const bank = await startBank({ client, tables, deadlineMs, conflictRetries });
  proxy.route(client);

  let ended: EndedBooking[] = [];
  let reported = { runs: 0, requests: 0, faultsInjected: 0 };
  const report = () => {
    const now = { runs: bank.runs, requests: proxy.requests, faultsInjected: weather.injected };
    send({
      ended,
      conflictsRetried: now.runs - reported.runs - ended.length,
      requests: now.requests - reported.requests,
      faultsInjected: now.faultsInjected - reported.faultsInjected,
    });
    reported = now;
    ended = [];
  };

  let next = job.process;
  const write = async () => {
    while (next < plan.size) {
      const booking = plan.booking(next);
      next += job.processes;
      const end = await endOf(booking, bank);
      ended.push(end);
      if (ended.length >= COMMANDS_A_REPORT) report();
    }
  };
  try {
    await Promise.all(Array.from({ length: job.writers }, write));
  } finally {
    await bank.close();
    client.destroy();
    await proxy.settled();
    await proxy.close();
  }
  report();
}

async function endOf(booking: Booking, { commands, eventStore }: Bank): Promise<EndedBooking> {
  const { number } = booking;
  try {
    await commands.execute(new Book(booking));
    return { number, outcome: 'acknowledged' };
  } catch (error) {
    if (saysNothingWasWritten(error)) return { number, outcome: 'refused', reason: error.name };
    if (error instanceof CommitOutcomeUnknownError) {
      return { number, outcome: 'unknown', unknown: await unknownCommit(error, eventStore) };
    }
    return { number, outcome: 'untyped', error: String(error) };
  }
}

function saysNothingWasWritten(error: unknown): error is Error {
  return (
    error instanceof ConcurrencyError || error instanceof EventStoreUnavailableError || error instanceof NotEnoughMoney
  );
}

async function unknownCommit(error: CommitOutcomeUnknownError, eventStore: EventStore): Promise<UnknownCommit> {
  const { commitId, appends, lastAttemptAt } = error;
  const askedAtOnce = await eventStore.outcomeOf(error).catch((unread: unknown) => {
    if (unread instanceof EventStoreUnavailableError) return undefined;
    throw unread;
  });
  return { reference: { commitId, appends, lastAttemptAt }, askedAtOnce };
}
