import { writeSync } from 'node:fs';
import { once } from 'node:events';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import { CommitOutcomeUnknownError, ConcurrencyError, EventStore } from '../../../src/index.js';
import { Random } from '../random.js';
import { clientConfigFor } from '../tables.js';
import { Book, LEDGERS, LedgerModule, OpenLedger, type LedgerId, type LedgerKind } from './ledger.js';
import type { ExpectedEvents, WriterMessage, WriterOrders } from './writer-message.js';

/** A process that is there to be killed: sends commands until its standard input ends, and says how each went. */

const orders = JSON.parse(process.argv[2]!) as WriterOrders;
const KINDS = Object.keys(LEDGERS) as LedgerKind[];
const all = orders.ledgers.flatMap((id) => KINDS.map((kind) => ({ kind, id })));
const STDOUT = 1;

const app = await NestFactory.createApplicationContext(
  LedgerModule.on({
    tables: orders.tables,
    clientConfig: clientConfigFor(orders.endpoint),
    deadlineMs: orders.deadlineMs,
  }),
  { logger: false },
);
const commands = app.get(CommandBus, { strict: false });
const store = app.get(EventStore, { strict: false });
const opened = new Set(orders.opened);
const random = new Random(orders.seed);
let sent = 0;
let stopping = false;

process.stdin.resume();
const stop = once(process.stdin, 'close').then(() => (stopping = true));
await Promise.all(Array.from({ length: orders.lanes }, () => lane(random.fork())));
await stop;
await app.close();

async function lane(choices: Random): Promise<void> {
  while (!stopping) await step(choices);
}

async function step(choices: Random): Promise<void> {
  const key = `${orders.name}-${sent++}`;
  if (choices.chance(0.1)) return open(key, { kind: choices.pick(KINDS), id: `fresh-${key}` });
  const missing = all.filter((ledger) => !opened.has(streamOf(ledger)));
  const there = all.filter((ledger) => opened.has(streamOf(ledger)));
  if (there.length === 0 || (missing.length > 0 && choices.chance(0.2))) return open(key, choices.pick(missing));
  const shape = choices.pick(['deposit', 'batch', 'transfer', 'transfer']);
  const ledgers = choices.sample(there, shape === 'transfer' ? 2 + choices.below(3) : 1);
  const entries = ledgers.map((ledger) => {
    const count = shape === 'deposit' ? 1 : shape === 'batch' ? 2 + choices.below(4) : 1 + choices.below(2);
    return { ledger, amounts: Array.from({ length: count }, () => choices.below(1000) - 300) };
  });
  const expected = Object.fromEntries(entries.map(({ ledger, amounts }) => [streamOf(ledger), amounts]));
  await send(key, new Book(key, entries), expected);
}

async function open(key: string, ledger: LedgerId): Promise<void> {
  const stream = streamOf(ledger);
  const error = await send(key, new OpenLedger(key, ledger), { [stream]: [null] });
  if (error === undefined || error instanceof ConcurrencyError) opened.add(stream);
}

async function send(key: string, command: object, expected: ExpectedEvents): Promise<unknown> {
  say({ says: 'intent', key, expected });
  try {
    await commands.execute(command);
    say({ says: 'acknowledged', key });
    return undefined;
  } catch (error) {
    if (error instanceof CommitOutcomeUnknownError) await settle(key, error);
    else say({ says: 'refused', key, error: (error as Error).name });
    return error;
  }
}

/** Asks how it ended, once the database answers again. */
async function settle(key: string, error: CommitOutcomeUnknownError): Promise<void> {
  say({ says: 'unknown', key });
  while (!stopping) {
    const outcome = await store.outcomeOf(error).catch(() => 'undecided' as const);
    if (outcome === 'stored') return say({ says: 'acknowledged', key });
    if (outcome === 'not-stored') return say({ says: 'not-stored', key });
  }
}

function streamOf({ kind, id }: LedgerId): string {
  return `${kind}/${id}`;
}

/** Written at once, so that a kill takes nothing back that was said. */
function say(message: WriterMessage): void {
  writeSync(STDOUT, `${JSON.stringify(message)}\n`);
}
