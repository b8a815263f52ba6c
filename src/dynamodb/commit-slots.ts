import type { TableNames } from './table.js';
import { assertEventSizes, assertWriteCount, COMMIT_LIMITS } from '../store/commit-limits.js';
import type { JoinedWrite } from '../store/joined-write.js';
import type { PreparedAppend, PreparedCommit, PreparedRecord } from '../store/prepare-commit.js';
import type { StoredEvent } from '../store/stored-event.js';
import type { UniqueWrite } from '../store/unique-values.js';
import { eventWrite, recordWrite, uniqueWrite, writeBytes, type TransactItem } from './append-request.js';
import { eventItem, itemBytes } from './items.js';

export interface PlacedAppend {
  readonly append: PreparedAppend;
  readonly events: readonly StoredEvent[];
}

/** One write of a commit, and what it is: that tells what it means when its condition fails. */
export type CommitSlot = { readonly write: TransactItem } & (
  | { readonly kind: 'record'; readonly record: PreparedRecord }
  | { readonly kind: 'event'; readonly append: PreparedAppend; readonly event: StoredEvent }
  | { readonly kind: 'unique'; readonly unique: UniqueWrite }
  | { readonly kind: 'joined'; readonly joined: JoinedWrite }
);

/**
 * All writes of a commit, the one that says most when it is refused first: a command that was carried out before has
 * changed its streams as well, and who lost the race for a stream is to decide again before a taken value counts. What
 * inline projections write comes last, as its conditions are about what the command was decided on.
 *
 * States that would make the commit too large are left out: they only save work, and must not stop the events.
 *
 * @throws CommitTooLargeError
 */
export function commitSlots(
  { commitId, idempotency, unique }: PreparedCommit,
  placed: readonly PlacedAppend[],
  joined: readonly JoinedWrite[],
  tables: TableNames,
): readonly CommitSlot[] {
  const records = idempotency
    ? [
        {
          kind: 'record' as const,
          write: recordWrite(tables.bookkeeping, idempotency, commitId, Date.now()),
          record: idempotency,
        },
      ]
    : [];
  const uniques = unique.map((change) => ({
    kind: 'unique' as const,
    write: uniqueWrite(tables.bookkeeping, change, commitId),
    unique: change,
  }));
  const views = joined.map((each) => ({
    kind: 'joined' as const,
    write: each.write as TransactItem,
    joined: each,
  }));
  const otherBytes = [...records, ...uniques, ...views].reduce((sum, { write }) => sum + writeBytes(write), 0);
  const slots = [...records, ...eventSlots(placed, tables.events, otherBytes), ...uniques, ...views];
  assertWriteCount(slots.length);
  return slots;
}

function eventSlots(placed: readonly PlacedAppend[], tableName: string, otherBytes: number) {
  const slots = (withStates: boolean) =>
    placed.flatMap(({ append, events }) =>
      events.map((event) => {
        const full = eventItem(withStates ? event : withoutState(event), append.key);
        const fits = itemBytes(full) <= COMMIT_LIMITS.eventBytes;
        const write = eventWrite(tableName, fits ? full : eventItem(withoutState(event), append.key));
        return { kind: 'event' as const, write, append, event };
      }),
    );
  const bytesOf = (all: ReturnType<typeof slots>) =>
    all.reduce((sum, { write }) => sum + writeBytes(write), otherBytes);
  const all = slots(true);
  const fitting = bytesOf(all) <= COMMIT_LIMITS.commitBytes ? all : slots(false);
  assertEventSizes(
    fitting.map(({ event, write }) => ({ eventType: event.eventType, bytes: itemBytes(write.Put!.Item!) })),
    bytesOf(fitting),
  );
  return fitting;
}

function withoutState(event: StoredEvent): StoredEvent {
  const { state: _, ...rest } = event;
  return rest;
}
