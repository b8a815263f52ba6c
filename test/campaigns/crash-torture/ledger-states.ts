import type { INestApplicationContext } from '@nestjs/common';
import { ANY_VERSION, EventStore } from '../../../src/index.js';
import { digestOf, Ledgers, LedgerSealed, type LedgerId, type LedgerKind } from './ledger.js';
import type { StoredEntry } from './stored-ledgers.js';

const AT_ONCE = 8;

/** What went wrong with a stream. */
export interface LedgerProblem {
  readonly stream: string;
  readonly problem: string;
}

/**
 * Puts an event behind each stream, so that requests of killed writers which are still on their way come to nothing,
 * and what is read afterwards is final.
 */
export async function sealLedgers(
  app: INestApplicationContext,
  streams: Iterable<string>,
): Promise<readonly LedgerProblem[]> {
  const store = app.get(EventStore, { strict: false });
  return problemsWith(streams, async (stream) => {
    const { kind, id } = ledgerOf(stream);
    const sealed = [new LedgerSealed()];
    await store.append({ aggregateType: kind, aggregateId: id }, sealed, { expectedVersion: ANY_VERSION });
    return undefined;
  });
}

/** Loads each ledger as a command would, from snapshot and tail, and compares it with all of its events. */
export async function checkStates(
  app: INestApplicationContext,
  streams: ReadonlyMap<string, readonly StoredEntry[]>,
): Promise<readonly LedgerProblem[]> {
  const ledgers = app.get(Ledgers, { strict: false });
  return problemsWith(streams.keys(), async (stream) => {
    const ledger = ledgerOf(stream);
    const { balance, bookings, digest, version } = await ledgers.of(ledger).load(ledger.id);
    const loaded = JSON.stringify({ balance, bookings, digest, version });
    const folded = JSON.stringify(stateAfter(streams.get(stream)!));
    return loaded === folded ? undefined : `was loaded as ${loaded}, and its events give ${folded}`;
  });
}

async function problemsWith(
  streams: Iterable<string>,
  check: (stream: string) => Promise<string | undefined>,
): Promise<readonly LedgerProblem[]> {
  const left = [...streams];
  const problems: LedgerProblem[] = [];
  const worker = async () => {
    for (let stream = left.pop(); stream !== undefined; stream = left.pop()) {
      const problem = await check(stream).catch((error: unknown) => String(error));
      if (problem !== undefined) problems.push({ stream, problem });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return problems;
}

function stateAfter(entries: readonly StoredEntry[]): object {
  const booked = entries.filter(({ amount }) => amount !== undefined);
  return {
    balance: booked.reduce((sum, { amount }) => sum + amount!, 0),
    bookings: booked.length,
    digest: entries.reduce((digest, { key, amount }) => digestOf(digest, key, amount), 0),
    version: entries.at(-1)!.version,
  };
}

function ledgerOf(stream: string): LedgerId {
  const [kind, id] = stream.split('/') as [LedgerKind, string];
  return { kind, id };
}
