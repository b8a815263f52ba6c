import { isDeepStrictEqual } from 'node:util';
import type { RecordedEvent } from '../../../src/index.js';
import { eventFrom } from './ledger.js';
import { assertEqual, DisagreementError } from './outcome.js';
import type { Journal, JournalEntry } from './world.js';

/** Checks events that a store gave against the journal; ids and times are the store's own. */
export function assertRecorded(
  name: string,
  recorded: readonly RecordedEvent[],
  journal: Journal,
  versions: readonly number[],
): void {
  assertEqual(
    `${name}: the versions read`,
    recorded.map(({ version }) => version),
    versions,
  );
  for (const { version, stream, eventType, schemaVersion, event, metadata } of recorded) {
    const entry = journal.entries[version - 1]!;
    const what = `${name}: at version ${version}`;
    const expected = eventFrom(entry.plan);
    assertEqual(`${what}, the stream`, stream, journal.stream);
    assertEqual(`${what}, the event`, event, expected);
    assertEqual(`${what}, the event type`, eventType, `model.${expected.constructor.name}`);
    assertEqual(`${what}, the schema version`, schemaVersion, entry.plan.kind === 'noted' ? 3 : 1);
    assertEqual(`${what}, the metadata`, metadata, expectedMetadata(entry, metadata.commandId));
  }
}

function expectedMetadata({ metadata, byCommand }: JournalEntry, commandId: string | undefined): object {
  if (!byCommand) return metadata;
  if (commandId === undefined) throw new DisagreementError('An event of a command has no commandId.');
  return { correlationId: commandId, causationId: commandId, commandId, ...metadata };
}

/** Checks that two stores hold the same events in the same commits, at times that grow. */
export function assertSameCommits(
  memory: readonly RecordedEvent[],
  real: readonly RecordedEvent[],
  since: number,
): void {
  assertEqual('DynamoDB: which events share a commit', groups(real), groups(memory));
  for (const [name, recorded] of [
    ['memory', memory],
    ['DynamoDB', real],
  ] as const) {
    const times = recorded.map(({ eventTime }) => eventTime.getTime());
    const latest = Date.now() + 2 * recorded.length;
    const wrong = times.findIndex((time, index) => time < since || time > latest || time <= (times[index - 1] ?? 0));
    if (wrong !== -1) {
      throw new DisagreementError(
        `${name}: the time of version ${wrong + 1} is ${new Date(times[wrong]!).toISOString()}, behind ${times[wrong - 1]}, in a run from ${since} to ${latest}.`,
      );
    }
  }
  if (!isDeepStrictEqual(new Set(real.map(({ eventId }) => eventId)).size, real.length)) {
    throw new DisagreementError('DynamoDB: two events share an id.');
  }
}

/** For each event the position of the first of its commit. */
function groups(recorded: readonly RecordedEvent[]): number[] {
  const first = new Map<string, number>();
  return recorded.map(({ commitId }, index) => {
    if (!first.has(commitId)) first.set(commitId, index);
    return first.get(commitId)!;
  });
}
