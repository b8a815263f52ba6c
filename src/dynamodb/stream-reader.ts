import { CorruptStreamError } from '../event/event-errors.js';
import { streamName, type StreamId } from '../event/stream-id.js';
import { isEventOf, type EventIdentity } from '../store/commit-outcome.js';
import { MAX_VERSION, type VersionRange } from '../store/read-range.js';
import type { Snapshot } from '../store/snapshot.js';
import { EventStoreUnavailableError } from '../store/store-errors.js';
import type { StoredEvent } from '../store/stored-event.js';
import type { Deadline, Wait } from './deadline.js';
import { isSnapshotItem, snapshotFrom, storedEventFrom, type Item } from './items.js';
import { eventsQuery, headQuery, sinceSnapshotQuery } from './query-request.js';
import type { Sender } from './sender.js';

export interface StoredSinceSnapshot {
  readonly snapshot: Snapshot | undefined;
  readonly events: AsyncIterable<StoredEvent>;
}

/**
 * How often a stream that shows a hole, or part of a commit, is read again. A query is not isolated from a
 * transaction that is being applied, so it may see some of its items; a moment later they are all there.
 */
const MAX_REREADS = 6;

/** Tail that is fetched along where a state was expected in the last event, and was not there. */
const FALLBACK_TAIL = 100;

/** Reads streams, and never shows a hole or half a commit. */
export class StreamReader {
  constructor(
    private readonly sender: Sender,
    private readonly tableName: string,
  ) {}

  /** The last event, `undefined` when there is none. */
  async head(pk: string, deadline: Deadline): Promise<StoredEvent | undefined> {
    const { items } = await this.sender.query(headQuery(this.tableName, pk), deadline);
    return items[0] && storedEventFrom(items[0]);
  }

  /** The event at a version, `undefined` when there is none. */
  async at(pk: string, version: number, deadline: Deadline): Promise<StoredEvent | undefined> {
    const range = { from: version, to: version, forward: true, limit: 1 };
    const { items } = await this.sender.query(eventsQuery(this.tableName, pk, range), deadline);
    return items[0] && storedEventFrom(items[0]);
  }

  /** The newest event of that identity, `undefined` when the stream has none. */
  async find(stream: StreamId, pk: string, wanted: EventIdentity, wait: Wait): Promise<StoredEvent | undefined> {
    const backward = { from: 1, to: MAX_VERSION, forward: false, limit: Infinity };
    for await (const event of this.read(stream, pk, backward, wait)) if (isEventOf(event, wanted)) return event;
    return undefined;
  }

  /**
   * Where the events end below the upper bound, or begin below it, one more request looks whether the stream goes on
   * beyond: then versions are missing.
   */
  read(stream: StreamId, pk: string, range: VersionRange, wait: Wait): AsyncGenerator<StoredEvent, void> {
    return this.walk(stream, pk, range, wait, range.to < MAX_VERSION);
  }

  /** The same without that request, for who knows which versions there are, and deals with those that do not come. */
  readKnown(stream: StreamId, pk: string, range: VersionRange, wait: Wait): AsyncGenerator<StoredEvent, void> {
    return this.walk(stream, pk, range, wait, false);
  }

  async sinceSnapshot(stream: StreamId, pk: string, tail: number, wait: Wait): Promise<StoredSinceSnapshot> {
    if (tail === 0) return this.sinceInlineState(stream, pk, wait);
    for (let rereads = 0; ; rereads++) {
      const { items, more } = await this.sender.query(sinceSnapshotQuery(this.tableName, pk, tail), wait.deadline);
      const events = items.filter((item) => !isSnapshotItem(item)).map((item) => storedEventFrom(item));
      const hole = firstHole(events, more);
      if (hole === undefined)
        return this.assemble(stream, pk, newestSnapshot(items, events), events.toReversed(), wait);
      await this.reread(stream, hole, rereads, wait);
    }
  }

  private async *walk(
    stream: StreamId,
    pk: string,
    range: VersionRange,
    wait: Wait,
    looksBeyond: boolean,
  ): AsyncGenerator<StoredEvent, void> {
    const { forward, from, to } = range;
    /** A version that must be there, as the stream goes on beyond it. */
    let known = 0;
    const missingAbove = async (newest: StoredEvent | undefined) => {
      const version = newest ? newest.version + 1 : from;
      if (version > to) return undefined;
      if (version <= known || (newest && isHeadOfHalfCommit(newest, to))) return version;
      if (!looksBeyond || !(await this.goesOnBeyond(pk, version, wait.deadline))) return undefined;
      known = version;
      return version;
    };
    let left = range.limit;
    let next = forward ? from : undefined;
    let last: StoredEvent | undefined;
    let rereads = 0;
    while (left > 0 && from <= to && (next === undefined || (next >= from && next <= to))) {
      const bounds = forward ? { from: next ?? from, to } : { from, to: next ?? to };
      const query = eventsQuery(this.tableName, pk, { ...bounds, forward, limit: left });
      const page = await this.sender.query(query, wait.deadline);
      let missing: number | undefined;
      const before = last;
      for (const item of page.items) {
        const event = storedEventFrom(item);
        missing = next === undefined ? await missingAbove(event) : event.version !== next ? next : undefined;
        if (missing !== undefined) break;
        yield event;
        wait.deadline.throwIfAborted();
        last = event;
        next = event.version + (forward ? 1 : -1);
        left--;
        rereads = 0;
      }
      if (last !== before) wait.renew();
      if (missing === undefined) {
        if (page.more) continue;
        if (left === 0) return;
        if (forward || next === undefined) missing = await missingAbove(last);
        else if (next >= from) missing = next;
        if (missing === undefined) return;
      }
      await this.reread(stream, missing, rereads++, wait);
    }
  }

  /**
   * Whether there are versions above one that was not there. Where it is there by now itself, it came after the read
   * had met the end of the stream.
   */
  private async goesOnBeyond(pk: string, version: number, deadline: Deadline): Promise<boolean> {
    const range = { from: version, to: MAX_VERSION, forward: true, limit: 1 };
    const { items } = await this.sender.query(eventsQuery(this.tableName, pk, range), deadline);
    return items[0] !== undefined && items[0].sk !== version;
  }

  private async sinceInlineState(stream: StreamId, pk: string, wait: Wait): Promise<StoredSinceSnapshot> {
    const head = await this.head(pk, wait.deadline);
    if (head && (!head.state || isHeadOfHalfCommit(head, MAX_VERSION)))
      return this.sinceSnapshot(stream, pk, FALLBACK_TAIL, wait);
    return { snapshot: head && stateOf(head), events: this.read(stream, pk, NOTHING, wait) };
  }

  /** @param newest events that were fetched along, oldest first; older ones after the snapshot are read when asked for */
  private assemble(
    stream: StreamId,
    pk: string,
    snapshot: Snapshot | undefined,
    newest: readonly StoredEvent[],
    wait: Wait,
  ): StoredSinceSnapshot {
    const from = (snapshot?.version ?? 0) + 1;
    const fetchedFrom = newest[0]?.version ?? MAX_VERSION + 1;
    const to = newest.length === 0 ? 0 : fetchedFrom - 1;
    const older = this.all(stream, pk, from, to, wait);
    async function* events(): AsyncGenerator<StoredEvent, void> {
      yield* older;
      for (const event of newest) if (event.version >= from) yield event;
    }
    return { snapshot, events: events() };
  }

  /** Versions of which the last one is known to be there. */
  private async *all(
    stream: StreamId,
    pk: string,
    from: number,
    to: number,
    wait: Wait,
  ): AsyncGenerator<StoredEvent, void> {
    let next = from;
    for (let rereads = 0; next <= to; rereads++) {
      if (rereads > 0) await this.reread(stream, next, rereads - 1, wait);
      for await (const event of this.readKnown(stream, pk, { from: next, to, forward: true, limit: Infinity }, wait)) {
        yield event;
        next = event.version + 1;
      }
    }
  }

  private async reread(stream: StreamId, version: number, rereads: number, { deadline }: Wait): Promise<void> {
    if (rereads >= MAX_REREADS) throw holeAt(stream, version);
    if (deadline.isNear) throw incomplete(stream, version);
    await deadline.pause(rereads);
    deadline.throwIfAborted();
  }
}

function incomplete(stream: StreamId, version: number): EventStoreUnavailableError {
  return new EventStoreUnavailableError(
    `${streamName(stream)} did not show version ${version} before the deadline, though it must be there. Read it again, or raise deadlineMs.`,
  );
}

function holeAt(stream: StreamId, version: number): CorruptStreamError {
  return new CorruptStreamError(
    `${streamName(stream)} has a hole at version ${version}, or shows only part of a commit, and did not fill: an event was deleted from outside. Restore the table to a moment before that.`,
  );
}

const NOTHING: VersionRange = { from: 1, to: 0, forward: true, limit: 0 };

/** The newest event seen is not the last of its commit, so the rest is not visible yet. */
function isHeadOfHalfCommit({ version, commitIndex, commitSize }: StoredEvent, to: number): boolean {
  return version < to && commitIndex + 1 < commitSize;
}

/** The version of the first hole in events that are in backward order. */
function firstHole(events: readonly StoredEvent[], more: boolean): number | undefined {
  const [newest] = events;
  if (!newest) return undefined;
  if (isHeadOfHalfCommit(newest, MAX_VERSION)) return newest.version + 1;
  const index = events.findIndex((event, position) => event.version !== newest.version - position);
  if (index !== -1) return newest.version - index;
  const oldest = events.at(-1)!.version;
  return more || oldest === 1 ? undefined : oldest - 1;
}

/** The separate snapshot, or a state inside one of the events, whichever is newer; none that is ahead of the events. */
function newestSnapshot(items: readonly Item[], events: readonly StoredEvent[]): Snapshot | undefined {
  const separate = items[0] && isSnapshotItem(items[0]) ? snapshotFrom(items[0]) : undefined;
  const inline = events.find((event) => event.state);
  const head = events[0]?.version ?? 0;
  const usable = separate && separate.version <= head ? separate : undefined;
  if (inline && inline.version > (usable?.version ?? 0)) return stateOf(inline);
  return usable;
}

function stateOf({ version, eventTime, state }: StoredEvent): Snapshot | undefined {
  return state && { version, eventTime, ...state };
}
