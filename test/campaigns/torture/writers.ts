import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import {
  CommitOutcomeUnknownError,
  ConcurrencyError,
  EventStoreUnavailableError,
  type CommitReference,
  type TableNames,
} from '../../../src/index.js';
import { FAULTS, startFaultyProxy, type Fault } from '../faulty-proxy.js';
import { Random } from '../random.js';
import { clientFor } from '../tables.js';
import { AccountsModule, Book, InsufficientFundsError, type Bookings } from './accounts.js';
import { chooseBookings } from './command-choice.js';

/** What writers are told to do. Plain data, as they may be in another process. */
export interface WriterOrders {
  readonly endpoint: string;
  readonly tables: TableNames;
  /** Begins each of their keys. */
  readonly name: string;
  readonly seed: number;
  readonly commands: number;
  readonly writers: number;
  readonly accounts: number;
  readonly hot: number;
  /** The share of requests that meet a fault. */
  readonly faults: number;
  readonly conflictRetries: number;
}

/** How a command ended, as its sender was told. */
export interface Ending {
  readonly key: string;
  readonly bookings: Bookings;
  readonly said: 'acknowledged' | 'refused' | 'unknown' | 'untyped';
  /** Name of the error. */
  readonly error?: string;
  /** What `outcomeOf` takes, for an unknown outcome. */
  readonly commit?: CommitReference;
}

export interface WriterResult {
  readonly requests: number;
  readonly faults: number;
}

const DEADLINE_MS = 2_500;
const LATE_MS = 150;
const FEW: readonly Fault[] = ['hang-before', 'hang-after'];
const OFTEN = FAULTS.filter((fault) => !FEW.includes(fault) && fault !== 'access-denied');
const SHARE_OF_HANGS = 0.02;

/** Sends commands through a Nest application of its own, each writer one after the other. */
export async function runWriters(orders: WriterOrders, tell: (ending: Ending) => void): Promise<WriterResult> {
  const random = new Random(orders.seed);
  const client = clientFor(orders.endpoint);
  let faults = 0;
  const proxy = await startFaultyProxy(orders.endpoint, {
    lateMs: LATE_MS,
    choose: () => {
      if (!random.chance(orders.faults)) return undefined;
      faults++;
      return random.pick(random.chance(SHARE_OF_HANGS) ? FEW : OFTEN);
    },
  });
  if (orders.faults > 0) proxy.route(client);
  const { tables, conflictRetries } = orders;
  const root = AccountsModule.on({ client, tables, conflictRetries, deadlineMs: DEADLINE_MS });
  const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  const bus = application.get(CommandBus, { strict: false });
  let sent = 0;

  const writer = async (choices: Random) => {
    while (sent < orders.commands) {
      const key = `${orders.name}-${sent++}`;
      const bookings = chooseBookings(choices, orders);
      try {
        await bus.execute(new Book(key, bookings));
        tell({ key, bookings, said: 'acknowledged' });
      } catch (error) {
        tell({ key, bookings, ...endingBy(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: orders.writers }, () => writer(random.fork())));
  await application.close();
  client.destroy();
  const { requests } = proxy;
  // Requests that a fault has delayed arrive before anything is counted.
  await proxy.settled();
  await proxy.close();
  return { requests, faults };
}

function endingBy(error: unknown): Pick<Ending, 'said' | 'error' | 'commit'> {
  const { name } = error as Error;
  if (error instanceof CommitOutcomeUnknownError) {
    const { commitId, appends, lastAttemptAt } = error;
    return { said: 'unknown', error: name, commit: { commitId, appends, lastAttemptAt } };
  }
  const saysNotWritten =
    error instanceof ConcurrencyError ||
    error instanceof EventStoreUnavailableError ||
    error instanceof InsufficientFundsError;
  return { said: saysNotWritten ? 'refused' : 'untyped', error: name };
}
