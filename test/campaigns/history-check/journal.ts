import { Aggregate, AggregateRoot, EventType, On, type Class, type StreamId } from '../../../src/index.js';

@EventType('history.Noted')
export class Noted {
  constructor(
    readonly commit: string,
    readonly index: number,
  ) {}
}

/** Its state is all that happened to it, so that a load shows as much as a read. */
export abstract class Journal extends AggregateRoot {
  readonly notes: { commit: string; index: number }[] = [];

  note(commit: string, size: number): void {
    for (const noted of notesOf(commit, size)) this.apply(noted);
  }

  @On(Noted) protected onNoted({ commit, index }: Noted): void {
    this.notes.push({ commit, index });
  }
}

@Aggregate('history-snapshot', { snapshotEvery: 4 })
class SnapshotJournal extends Journal {}

@Aggregate('history-inline', { snapshot: 'inline' })
class InlineJournal extends Journal {}

export const JOURNAL_CLASSES: readonly Class<Journal>[] = [SnapshotJournal, InlineJournal];

/** Every other journal keeps its state inline. */
export function journalClassOf(journal: number): Class<Journal> {
  return journal % 2 === 0 ? SnapshotJournal : InlineJournal;
}

export function streamOf(journal: number): StreamId {
  const aggregateType = journal % 2 === 0 ? 'history-snapshot' : 'history-inline';
  return { aggregateType, aggregateId: String(journal) };
}

export function notesOf(commit: string, size: number): Noted[] {
  return Array.from({ length: size }, (_, index) => new Noted(commit, index));
}
