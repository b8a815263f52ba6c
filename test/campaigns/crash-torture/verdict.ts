import type { Outage } from './database-on-disk.js';
import type { SentCommand } from './journal.js';
import type { StoredEntry } from './stored-ledgers.js';

/** What the database did so shortly before it was killed, it may forget. */
const FORGETS_MS = 500;

/**
 * What a writer says of an answer may be heard so much later, as writers, this process and a starting Java share the
 * machine. A database that is back answers later than this, so that what it told itself is never excused.
 */
const HEARD_LATE_MS = 500;

export interface Verdict {
  readonly unacknowledgedButStored: number;
  /** Acknowledged, and not there. */
  readonly lost: number;
  /** There more than once. */
  readonly doubled: number;
  /** There in part. */
  readonly torn: number;
  /** Acknowledged transactions that DynamoDB Local did not keep when it was killed; not counted as lost. */
  readonly lostByDatabase: number;
  /** Streams with a hole where such a transaction was. */
  readonly holesByDatabase: number;
  /** Streams of such transactions, and of those that it may have shown to readers and forgotten; they cannot be judged. */
  readonly shaken: ReadonlySet<string>;
  readonly violations: readonly string[];
}

/**
 * Compares what writers were told with what is stored.
 *
 * DynamoDB Local answers a TransactWriteItems before it has committed it on disk: killed with -9 within moments, it has
 * told of a transaction, and has shown it to readers, that is gone when it comes back. A PutItem it keeps. So a missing
 * transaction whose acknowledgement came around the kill is not held against the package; one that was acknowledged by
 * the database that came back is, as that has read or written what is on disk.
 */
export function judge(
  commands: Iterable<SentCommand>,
  streams: ReadonlyMap<string, readonly StoredEntry[]>,
  outages: readonly Outage[],
): Verdict {
  const violations: string[] = [];
  const shaken = new Set<string>();
  const count = { unacknowledgedButStored: 0, lost: 0, doubled: 0, torn: 0, lostByDatabase: 0, holesByDatabase: 0 };
  const entriesOf = byKey(streams);
  const known = new Set<string>();
  const all = [...commands];
  for (const command of all) {
    known.add(command.key);
    const story = `${command.key} (${command.outcome} ${command.error ?? ''} ${JSON.stringify(command.expected)})`;
    const stored = entriesOf.get(command.key) ?? new Map<string, StoredEntry[]>();
    switch (presence(command, stored)) {
      case 'whole':
        if (command.outcome === 'refused' || command.outcome === 'not-stored') {
          violations.push(`${story} was said not to be stored, and is.`);
        } else if (command.outcome !== 'acknowledged') count.unacknowledgedButStored++;
        break;
      case 'none': {
        const excused = isTransaction(command) && outages.some((outage) => mayBeForgotten(command, outage));
        if (excused) Object.keys(command.expected).forEach((stream) => shaken.add(stream));
        if (command.outcome !== 'acknowledged') break;
        count[excused ? 'lostByDatabase' : 'lost']++;
        if (!excused) violations.push(`${story} was acknowledged, and is lost.`);
        break;
      }
      case 'doubled':
        count.doubled++;
        violations.push(`${story} is stored twice: ${JSON.stringify(Object.fromEntries(stored))}`);
        break;
      case 'torn':
        count.torn++;
        violations.push(`${story} is stored in part: ${JSON.stringify(Object.fromEntries(stored))}`);
    }
  }
  for (const key of entriesOf.keys()) if (!known.has(key)) violations.push(`${key} is stored without an intent.`);
  for (const [stream, entries] of streams) {
    if (entries.every(({ version }, index) => version === index + 1)) continue;
    if (shaken.has(stream)) count.holesByDatabase++;
    else violations.push(`The versions of ${stream} are not dense: ${entries.map(({ version }) => version).join(' ')}`);
  }
  violations.push(...repeatedIds(streams), ...surprises(all, shaken));
  return { ...count, shaken, violations };
}

/** The stored events of each command, by stream. */
function byKey(streams: ReadonlyMap<string, readonly StoredEntry[]>): Map<string, Map<string, StoredEntry[]>> {
  const found = new Map<string, Map<string, StoredEntry[]>>();
  for (const [stream, entries] of streams) {
    for (const entry of entries) {
      if (entry.key === undefined) continue;
      const ofCommand = found.get(entry.key) ?? new Map<string, StoredEntry[]>();
      found.set(entry.key, ofCommand.set(stream, [...(ofCommand.get(stream) ?? []), entry]));
    }
  }
  return found;
}

function presence(
  { expected }: SentCommand,
  stored: ReadonlyMap<string, readonly StoredEntry[]>,
): 'none' | 'whole' | 'doubled' | 'torn' {
  if (stored.size === 0) return 'none';
  const commits = new Set([...stored.values()].flat().map(({ commitId }) => commitId));
  const wanted = Object.entries(expected);
  const tooMany = wanted.some(([stream, events]) => (stored.get(stream)?.length ?? 0) > events.length);
  if (commits.size > 1 || tooMany) return 'doubled';
  const whole =
    stored.size === wanted.length &&
    wanted.every(([stream, events]) => standTogether(stored.get(stream) ?? [], events));
  return whole ? 'whole' : 'torn';
}

/** Exactly these events, one behind the other. */
function standTogether(entries: readonly StoredEntry[], events: readonly (number | null)[]): boolean {
  const first = entries[0]?.version ?? 0;
  return (
    entries.length === events.length &&
    entries.every(({ amount = null, version }, index) => amount === events[index] && version === first + index)
  );
}

function isTransaction({ expected }: SentCommand): boolean {
  return Object.values(expected).flat().length > 1;
}

/** Both times are by the clock of the process that killed the database and heard the writers. */
function mayBeForgotten({ outcome, from, to }: SentCommand, { from: killed }: Outage): boolean {
  if (to < killed - FORGETS_MS) return false;
  switch (outcome) {
    case 'acknowledged':
      return to <= killed + HEARD_LATE_MS;
    case 'refused':
      return false;
    // Nobody heard an answer: it may have been stored, and read, at any time after it was sent.
    case 'unheard':
    case 'unknown':
    case 'not-stored':
      return from <= killed + HEARD_LATE_MS;
  }
}

function repeatedIds(streams: ReadonlyMap<string, readonly StoredEntry[]>): string[] {
  const seen = new Set<string>();
  const repeated: string[] = [];
  for (const { eventId } of [...streams.values()].flat()) {
    if (seen.has(eventId)) repeated.push(`The event ${eventId} is stored twice.`);
    seen.add(eventId);
  }
  return repeated;
}

/** Only these may meet a writer; a hole that the database made may meet those who read it. */
function surprises(commands: readonly SentCommand[], shaken: ReadonlySet<string>): string[] {
  return commands.flatMap(({ key, error, expected }) => {
    if (error === undefined || error === 'ConcurrencyError' || error === 'EventStoreUnavailableError') return [];
    const explained = error === 'CorruptStreamError' && Object.keys(expected).some((stream) => shaken.has(stream));
    return explained ? [] : [`${key} was refused with ${error}.`];
  });
}
