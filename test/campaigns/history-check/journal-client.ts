import {
  ANY_VERSION,
  CommitOutcomeUnknownError,
  ConcurrencyError,
  EventStoreUnavailableError,
  type EventStore,
  type ExpectedVersion,
  type RecordedEvent,
} from '../../../src/index.js';
import type { Random } from '../random.js';
import type { AppendOutcome, AppendRecord, ReadRecord, SeenEvent } from './history.js';
import type { JournalApplication } from './journal-application.js';
import { notesOf, streamOf, type Journal, type Noted } from './journal.js';

/** Where a client writes down what it did and saw. */
export interface HistoryLog {
  append(record: AppendRecord): void;
  read(record: ReadRecord): void;
  /** Something that is wrong without any comparison. */
  broken(error: unknown): void;
}

export interface JournalClientParts {
  readonly eventStore: EventStore;
  readonly application: JournalApplication;
  readonly random: Random;
  readonly log: HistoryLog;
}

const LARGEST_APPEND = 4;

/** A client that writes and reads journals, one operation after the other, and times each. */
export class JournalClient {
  /** What it has seen last, which may be out of date. */
  private readonly versions = new Map<number, number>();

  constructor(private readonly parts: JournalClientParts) {}

  /**
   * @param commit names what it writes, if it writes
   * @param journals two different ones
   */
  async operate(commit: string, [journal, other]: readonly [number, number]): Promise<void> {
    const { random, log } = this.parts;
    const what = random.next();
    try {
      if (what < 0.25) await this.read(journal, 'read');
      else if (what < 0.33) await this.read(journal, 'backward read');
      else if (what < 0.48) await this.load(journal);
      else if (what < 0.63) await this.loadAndSave(commit, journal);
      else if (what < 0.93) await this.commit(commit, [journal]);
      else await this.commit(commit, [journal, other]);
    } catch (error) {
      // A read that got no answer says nothing.
      if (!(error instanceof EventStoreUnavailableError)) log.broken(error);
    }
  }

  async read(journal: number, by: Exclude<ReadRecord['by'], 'load'>): Promise<void> {
    const direction = by === 'backward read' ? 'backward' : 'forward';
    const started = now();
    const seen: SeenEvent[] = [];
    for await (const recorded of this.parts.eventStore.read(streamOf(journal), { direction })) {
      seen.push(seenEvent(recorded));
    }
    this.seen(journal, { by, started, seen });
  }

  async load(journal: number): Promise<Journal | null> {
    const started = now();
    const loaded = await this.parts.application.journals(journal).find(streamOf(journal).aggregateId);
    const notes = loaded?.notes ?? [];
    const seen = notes.map(({ commit, index }, position) => ({ commit, index, version: position + 1 }));
    this.seen(journal, { by: 'load', started, seen });
    if (loaded && loaded.version !== notes.length) {
      this.parts.log.broken(`journal ${journal} is loaded as version ${loaded.version}, with ${notes.length} notes`);
    }
    return loaded;
  }

  private async loadAndSave(commit: string, journal: number): Promise<void> {
    const loaded = await this.load(journal);
    if (!loaded) return;
    const size = this.size();
    loaded.note(commit, size);
    await this.written(commit, [{ journal, size }], async () => {
      await this.parts.application.journals(journal).save(loaded);
      return [loaded.version];
    });
  }

  private async commit(commit: string, journals: readonly number[]): Promise<void> {
    const parts = journals.map((journal) => ({ journal, size: this.size() }));
    await this.written(commit, parts, async () => {
      const appends = parts.map(({ journal, size }) => {
        return { stream: streamOf(journal), events: notesOf(commit, size), expectedVersion: this.expected(journal) };
      });
      const { appended } = await this.parts.eventStore.commit({ appends });
      return appended.map(({ version }) => version);
    });
  }

  private size(): number {
    return 1 + this.parts.random.below(LARGEST_APPEND);
  }

  private expected(journal: number): ExpectedVersion {
    return this.parts.random.chance(0.3) ? ANY_VERSION : (this.versions.get(journal) ?? 0);
  }

  private async written(
    commit: string,
    parts: readonly { readonly journal: number; readonly size: number }[],
    write: () => Promise<readonly number[]>,
  ): Promise<void> {
    const invoked = now();
    const outcomeIn = await write().then(
      (versions) => (_: number, position: number) => acknowledged(versions[position]!),
      (error: unknown) => this.outcomeOf(error, parts),
    );
    const ended = now();
    for (const [position, { journal, size }] of parts.entries()) {
      const outcome = outcomeIn(journal, position);
      this.parts.log.append({ stream: idOf(journal), commit, size, invoked, ended, outcome });
      if (outcome.kind === 'acknowledged') this.versions.set(journal, outcome.lastVersion);
    }
  }

  private async outcomeOf(
    error: unknown,
    parts: readonly { readonly size: number }[],
  ): Promise<(journal: number, position: number) => AppendOutcome> {
    if (error instanceof CommitOutcomeUnknownError) return this.settled(error, parts);
    if (error instanceof EventStoreUnavailableError) return () => ({ kind: 'refused' });
    if (!(error instanceof ConcurrencyError)) throw error;
    const { stream, expectedVersion, actualVersion } = error;
    return (journal) => {
      if (idOf(journal) !== stream.aggregateId || expectedVersion === ANY_VERSION) return { kind: 'refused' };
      this.versions.set(journal, actualVersion);
      return { kind: 'refused', takenAfter: expectedVersion };
    };
  }

  /** The store is asked at once how it ended. */
  private async settled(
    error: CommitOutcomeUnknownError,
    parts: readonly { readonly size: number }[],
  ): Promise<(journal: number, position: number) => AppendOutcome> {
    const outcome = await this.parts.eventStore.outcomeOf(error).catch((unread: unknown) => {
      if (unread instanceof EventStoreUnavailableError) return 'undecided';
      throw unread;
    });
    if (outcome === 'undecided') return () => ({ kind: 'unknown' });
    if (outcome === 'not-stored') return () => ({ kind: 'refused' });
    return (_, position) => acknowledged(error.appends[position]!.expectedVersion + parts[position]!.size);
  }

  private seen(journal: number, read: Pick<ReadRecord, 'by' | 'started' | 'seen'>): void {
    this.parts.log.read({ ...read, stream: idOf(journal), ended: now() });
    this.versions.set(journal, read.seen.length);
  }
}

function acknowledged(lastVersion: number): AppendOutcome {
  return { kind: 'acknowledged', lastVersion };
}

function seenEvent({ version, event }: RecordedEvent): SeenEvent {
  const { commit, index } = event as Noted;
  return { version, commit, index };
}

function idOf(journal: number): string {
  return streamOf(journal).aggregateId;
}

/** One clock for all processes of a machine. */
function now(): bigint {
  return process.hrtime.bigint();
}
