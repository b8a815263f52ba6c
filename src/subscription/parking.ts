import type { StreamId } from '../event/stream-id.js';
import type { Bookkeeping, BookkeepingEntry } from '../store/bookkeeping.js';
import type { StoredEvent } from '../store/stored-event.js';
import { streamHash } from './gate.js';
import type { PoisonPolicy } from './projection.js';
import { describeThrown } from './thrown.js';

/** An event that was set aside, as its handler kept failing. */
export interface ParkedEvent {
  readonly subscription: string;
  /** Names it for `retry` and `discard`. */
  readonly id: string;
  readonly stream: StreamId;
  readonly version: number;
  /**
   * The first version that is not handled: an earlier one where versions before this could not be read, a later one while
   * what waited behind this is being handled.
   */
  readonly fromVersion: number;
  /** Empty, as are `eventType` and `commitId`, where it is this version that could not be read. */
  readonly eventId: string;
  readonly eventType: string;
  readonly commitId: string;
  readonly poison: PoisonPolicy;
  /** How often its handler was tried. */
  readonly attempts: number;
  readonly error: { readonly name: string; readonly message: string; readonly stack?: string };
  readonly parkedAt: Date;
  /** What is to become of it, once that was asked for. */
  readonly requested?: 'retry' | 'discard';
}

/** What is known of an event that is to be parked. */
export type Parkable = Pick<StoredEvent, 'stream' | 'version' | 'eventId' | 'eventType' | 'commitId'>;

/** What is kept of a parked event beside what users see. */
interface ParkingState {
  readonly partition: string;
  /** Its turn has passed without it: the position of its stream was moved behind it when it was parked. */
  readonly late?: true;
  /** Until then one who settles it has it for itself; milliseconds since 1970. */
  readonly settlingUntil?: number;
}

type StoredParkedEvent = Omit<ParkedEvent, 'subscription' | 'id' | 'parkedAt'> &
  ParkingState & { readonly parkedAt: string };

export interface ParkedEntry extends ParkingState {
  readonly revision: number;
  readonly key: string;
  readonly parked: ParkedEvent;
}

/** Why an event is set aside. */
export type ParkingReason = Pick<
  StoredParkedEvent,
  'partition' | 'poison' | 'attempts' | 'fromVersion' | 'late' | 'requested'
> & {
  readonly error: unknown;
};

/** From this version on a stream is held back. */
export interface Held {
  readonly stream: StreamId;
  readonly version: number;
}

/** Longer texts of errors are cut off: an entry has to stay small, whatever an error quotes. */
const MAX_TEXT = 2000;

/** The parked events of a subscription. */
export class Parking {
  constructor(
    private readonly bookkeeping: Bookkeeping,
    private readonly subscription: string,
  ) {}

  async park(event: Parkable, reason: ParkingReason): Promise<void> {
    const { id, value } = entryOf(event, reason);
    if (await this.bookkeeping.write(this.subject, id, value, 0)) return;
    // It fails again after a retry, or another process that had the partition before has parked it as well.
    for (;;) {
      const { late = value.late, revision = 0 } = (await this.find(id)) ?? {};
      if (await this.bookkeeping.write(this.subject, id, { ...value, ...(late && { late }) }, revision)) return;
    }
  }

  /**
   * Parks an event, and with it moves the position of its stream behind it: another process, to which the partition may
   * have gone meanwhile, cannot store it in its turn any more, and this one not what that one has stored.
   */
  async parkPassing(event: Parkable, reason: ParkingReason): Promise<void> {
    const { stream, version } = event;
    let revision = 0;
    for (let { fromVersion } = reason; fromVersion <= version;) {
      const { id, value } = entryOf(event, { ...reason, fromVersion });
      const position = { projection: this.subscription, stream, fromVersion, version };
      const entry = { subject: this.subject, id, value: { ...value, late: true }, revision };
      const outcome = await this.bookkeeping.project([position], [], entry);
      if (outcome.kind === 'stored') return;
      if (outcome.kind === 'outdated') revision = (await this.find(id))?.revision ?? 0;
      else fromVersion = (await this.positionOf(stream)) + 1;
    }
    // It was stored, or parked, by another process, or it comes again after a reset. What is late says already of which
    // versions nothing is stored.
    if (!(await this.find(idOf(event)))?.late) await this.park(event, reason);
  }

  async list(): Promise<readonly ParkedEntry[]> {
    return (await this.bookkeeping.entries<StoredParkedEvent>(this.subject)).map((entry) => this.entryFrom(entry));
  }

  /** As it stands now. */
  async find(id: string): Promise<ParkedEntry | undefined> {
    const entry = await this.bookkeeping.entry<StoredParkedEvent>(this.subject, id);
    return entry && this.entryFrom(entry);
  }

  /** Asks for something, unless that was asked for already: the entry would be another than the one that is being settled. */
  async request(entry: ParkedEntry, requested: 'retry' | 'discard'): Promise<void> {
    // It may be written anew meanwhile, as where it fails again.
    for (let latest: ParkedEntry | undefined = entry; latest && latest.parked.requested !== requested;) {
      if (await this.rewrite({ ...latest, parked: { ...latest.parked, requested } })) return;
      latest = await this.find(entry.parked.id);
    }
  }

  /**
   * Parks what a process still holds back behind a parked event that another one has settled, and asks for it to be
   * handled: from where that one has come to.
   *
   * @param entries all that is parked now
   * @returns nothing where an event of the stream is parked after all, and nobody has asked for it
   */
  async parkBehind(
    { stream, version }: Held,
    partition: string,
    entries: readonly ParkedEntry[],
  ): Promise<ParkedEntry | undefined> {
    const key = streamHash(stream);
    const known = entries.find((entry) => entry.key === key && entry.parked.poison === 'stop-aggregate');
    // It may be this one, where an outage came behind it.
    if (known) return known.parked.requested ? known : undefined;
    const fromVersion = Math.max(version, (await this.positionOf(stream)) + 1);
    // As where what waits behind an event is being handled: the next one may not be there yet.
    const event = named({ stream, version: fromVersion - 1 });
    const error = new Error('Another process has settled the event behind which this one was held back.');
    const poison = 'stop-aggregate';
    await this.park(event, { partition, poison, attempts: 0, fromVersion, requested: 'retry', error });
    return this.find(idOf(event));
  }

  /**
   * Takes an entry to settle it, where several processes may be about to.
   *
   * @param until milliseconds since 1970; after that another may take it
   * @returns nothing while another has it
   */
  async claim(entry: ParkedEntry, until: number): Promise<ParkedEntry | undefined> {
    if (entry.settlingUntil !== undefined && entry.settlingUntil > Date.now()) return undefined;
    const claimed = { ...entry, settlingUntil: until };
    return (await this.rewrite(claimed)) ? { ...claimed, revision: entry.revision + 1 } : undefined;
  }

  /** Keeps how far settling has come, for who goes on with it: whoever has claimed the entry does not. */
  async goOnFrom(entry: ParkedEntry, fromVersion: number): Promise<void> {
    const { settlingUntil: _, ...unclaimed } = entry;
    await this.rewrite({ ...unclaimed, parked: { ...entry.parked, fromVersion } });
  }

  /** Removes the entries of later events of a stream. */
  async removeBehind({ stream, version }: Parkable, poison: PoisonPolicy): Promise<void> {
    const key = streamHash(stream);
    for (const entry of await this.list()) {
      const isBehind = entry.key === key && entry.parked.poison === poison && entry.parked.version > version;
      if (isBehind) await this.remove(entry);
    }
  }

  async remove({ parked, revision }: ParkedEntry): Promise<boolean> {
    return this.bookkeeping.remove(this.subject, parked.id, revision);
  }

  private entryFrom({ id, revision, value }: BookkeepingEntry<StoredParkedEvent>): ParkedEntry {
    const { partition, late, settlingUntil, ...stored } = value;
    return {
      revision,
      partition,
      ...(late && { late }),
      ...(settlingUntil !== undefined && { settlingUntil }),
      key: streamHash(stored.stream),
      parked: { ...stored, subscription: this.subscription, id, parkedAt: new Date(stored.parkedAt) },
    };
  }

  private async rewrite({ parked, revision, key: _key, ...state }: ParkedEntry): Promise<boolean> {
    const { subscription: _subscription, id, parkedAt, ...rest } = parked;
    const value: StoredParkedEvent = { ...rest, ...state, parkedAt: parkedAt.toISOString() };
    return this.bookkeeping.write(this.subject, id, value, revision);
  }

  private async positionOf(stream: StreamId): Promise<number> {
    return (await this.bookkeeping.positionsOf(this.subscription, [stream]))[0]!;
  }

  private get subject(): readonly string[] {
    return ['parked', this.subscription];
  }
}

function entryOf(event: Parkable, { error, ...reason }: ParkingReason) {
  const { stream, version, eventId, eventType, commitId } = event;
  const parkedAt = new Date().toISOString();
  const about = { stream, version, eventId, eventType, commitId };
  const value: StoredParkedEvent = { ...about, ...reason, error: describe(error), parkedAt };
  return { id: idOf(event), value };
}

/** As it is parked, where all that is known of it is which one it is. */
export function named(event: Pick<Parkable, 'stream' | 'version'>): Parkable {
  return { eventId: '', eventType: '', commitId: '', ...event };
}

function idOf({ stream, version }: Parkable): string {
  return `${streamHash(stream)}#${String(version).padStart(16, '0')}`;
}

function describe(error: unknown): ParkedEvent['error'] {
  const { name, message, stack } = describeThrown(error);
  return {
    name: name.slice(0, MAX_TEXT),
    message: message.slice(0, MAX_TEXT),
    ...(stack !== undefined && { stack: stack.slice(0, MAX_TEXT) }),
  };
}
