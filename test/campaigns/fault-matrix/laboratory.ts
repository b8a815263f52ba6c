import { setTimeout as sleep } from 'node:timers/promises';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  CommitOutcomeUnknownError,
  DynamoDbEventStore,
  EventRegistry,
  type CommitOutcome,
  type TableNames,
} from '../../../src/index.js';
import { AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../../setup/bank.js';
import type { Random } from '../random.js';
import { clientFor } from '../tables.js';
import { Bench } from './bench.js';
import type { Cell } from './cell.js';
import { layLog, LOG_TYPE } from './event-log.js';
import { EventsTable, type Truth } from './events-table.js';
import { FaultyNetwork } from './faulty-network.js';
import { ItemsBeside } from './items-beside.js';
import type { Ending } from './judgement.js';
import type { Ground, Operation, Trial } from './operation.js';
import type { HearTime } from './operation-times.js';

/** A trial that was made, to be looked at again when everything late has arrived. */
export interface MadeTrial {
  readonly trial: Trial;
  readonly ending: Ending;
  /** What the table held when it ended. */
  readonly truth: Truth | undefined;
  /** What `outcomeOf` said at once, where the outcome was unknown. */
  readonly settled: CommitOutcome | undefined;
  /** Requests that it sent, those of the SDK's retries as well. */
  readonly requests: number;
}

export interface LaboratoryOptions {
  readonly endpoint: string;
  readonly tables: TableNames;
  readonly deadlineMs: number;
  readonly random: Random;
}

/** No fault may slow down what lays the ground. */
const UNHURRIED_MS = 60_000;

/** What has not ended by then never will. */
const NEVER_IN_DEADLINES = 20;

/** Three of them fill a page of 1 MB, also compressed; the small one behind them is left for the next, in either direction. */
const LARGE = 470_000;
const SMALL = 100;
const OWNER_LENGTHS = [SMALL, LARGE, LARGE, LARGE, SMALL];

/** Makes trials. */
export class Laboratory {
  private readonly idle: Bench[] = [];

  private starting: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: LaboratoryOptions,
    private readonly client: DynamoDBClient,
    private readonly network: FaultyNetwork,
    readonly ground: Ground,
  ) {}

  static async open(options: LaboratoryOptions): Promise<Laboratory> {
    const { endpoint, tables, deadlineMs, random } = options;
    const client = clientFor(endpoint);
    const registry = new EventRegistry().register(AccountOpened, MoneyDeposited, MoneyWithdrawn);
    const store = new DynamoDbEventStore({ client, tables, registry, deadlineMs: UNHURRIED_MS });
    const stream = { aggregateType: LOG_TYPE, aggregateId: 'large' };
    const owners = OWNER_LENGTHS.map((characters) => incompressible(random, characters));
    const events = owners.map((owner) => new AccountOpened(owner));
    const log = await layLog(store, stream, events);
    const beside = await ItemsBeside.create(client, tables.bookkeeping);
    const network = await FaultyNetwork.start(endpoint, deadlineMs);
    return new Laboratory(options, client, network, {
      store,
      table: new EventsTable(client, tables.events, registry),
      beside,
      log,
      large: { stream, events },
    });
  }

  /** @param hear told how long each operation of the store took */
  async make(cell: Cell, id: string, hear: HearTime): Promise<MadeTrial> {
    const { deadlineMs } = this.options;
    const trial = await cell.operation.prepare(this.ground, id);
    const bench = this.idle.pop() ?? (await this.startBench());
    bench.serve(id, cell, this.network, hear);
    const ending = await endingOf(trial.run(bench.application), NEVER_IN_DEADLINES * deadlineMs);
    if (ending.kind !== 'never') this.idle.push(bench);
    const settled = await this.settle(ending);
    const truth = await trial.truth?.();
    return { trial, ending, settled, truth, requests: this.network.requestsOf(id) };
  }

  /** One after the other: many starts at once would not be over by their short deadline. */
  private startBench(): Promise<Bench> {
    const { endpoint, tables, deadlineMs } = this.options;
    const bench = this.starting.then(() => Bench.start(endpoint, tables, this.ground.beside.sumsTable, deadlineMs));
    this.starting = bench.then(
      () => {},
      () => {},
    );
    return bench;
  }

  /** How many requests an operation makes when all is well. */
  async count(operation: Operation, id: string): Promise<MadeTrial> {
    return this.make({ operation, faults: new Map(), lateness: 0.2, maxAttempts: 1 }, id, () => {});
  }

  /** What `outcomeOf` says of a commit whose outcome was unknown; nothing of any other ending. */
  async settle(ending: Ending): Promise<CommitOutcome | undefined> {
    if (ending.kind !== 'failed' || !(ending.error instanceof CommitOutcomeUnknownError)) return undefined;
    return this.ground.store.outcomeOf(ending.error);
  }

  /** Waits until all that is on its way has arrived. */
  settled(): Promise<void> {
    return this.network.settled();
  }

  async close(): Promise<void> {
    await Promise.all(this.idle.map((bench) => bench.close()));
    await this.network.close();
    await this.ground.beside.drop();
    this.client.destroy();
  }
}

async function endingOf(running: Promise<unknown>, neverMs: number): Promise<Ending> {
  const timer = new AbortController();
  const never = sleep(neverMs, { kind: 'never' } as const, { signal: timer.signal });
  never.catch(() => {});
  const ended = running.then(
    (answer) => ({ kind: 'answered', answer }) as const,
    (error: unknown) => ({ kind: 'failed', error }) as const,
  );
  const ending = await Promise.race([ended, never]);
  timer.abort();
  return ending;
}

function incompressible(random: Random, characters: number): string {
  const bytes = Uint8Array.from({ length: (characters * 3) / 4 }, () => random.below(256));
  return Buffer.from(bytes).toString('base64');
}
