import { streamName, type StreamId } from '../event/stream-id.js';
import type { EventFeed } from '../store/event-feed.js';
import { OperationAbortedError } from '../store/store-errors.js';
import { isReadable, type StoredEvent, type UnreadableEvent } from '../store/stored-event.js';
import { backoff, ignoreOutage, isOutage } from './backoff.js';
import type { EventHandler } from './event-handler.js';
import { thrownName } from './thrown.js';
import { streamHash, type Admitted } from './gate.js';
import { grouped } from './grouped.js';
import { named, type Held, type Parkable, type ParkedEntry, type Parking } from './parking.js';
import type { PoisonPolicy } from './projection.js';

export interface DeliveryOptions {
  readonly concurrency: number;
  readonly attempts: number;
  readonly poison: PoisonPolicy;
}

/** So many events at most, wanted or not, wait in a lane for its batch to be full. */
const MAX_HELD = 1000;

/** While the database is out of reach, one in so many attempts is reported, from the third on. */
const REPORT_EVERY = 20;

/** The work was given up in the middle, and nothing of it may count as done. */
export class DeliveryEndedError extends Error {
  override readonly name = 'DeliveryEndedError';

  constructor(readonly reason: 'signal' | 'poison') {
    super(`The delivery ended by ${reason}.`);
  }
}

/** Brings admitted events to their handler: those of a stream in their order, many streams side by side. */
export class Delivery {
  /** Streams of which an event is parked: it waits, and so do all behind it. */
  private readonly held = new Map<string, Held>();
  /** Parked events that were skipped: until they are settled, they are not handled when they come again. */
  private readonly skipped = new Set<string>();
  /** Parked events at which the subscription had stopped: they come again, and some are to be left out then. */
  private stops: ParkedEntry[] = [];
  /** Those of them that have come. */
  private readonly behindUs: ParkedEntry[] = [];
  private handled = new Map<string, number>();

  constructor(
    private readonly handler: EventHandler,
    private readonly feed: EventFeed,
    private readonly parking: Parking,
    private readonly partition: string,
    private readonly options: DeliveryOptions,
    private readonly report: (message: string) => void,
    private readonly signal: AbortSignal,
  ) {}

  /** What was parked in this partition before. */
  remember(entries: readonly ParkedEntry[]): void {
    for (const entry of entries) {
      const { key, parked } = entry;
      if (parked.poison === 'stop-aggregate') this.hold(key, parked.stream, parked.fromVersion);
      if (parked.poison === 'skip') this.skipped.add(placeOf(key, parked.version));
      if (parked.poison === 'stop-subscription') this.stops.push(entry);
    }
  }

  /**
   * Returns when every event is handled, or parked.
   *
   * @throws DeliveryEndedError
   */
  async deliver(admitted: readonly Admitted[]): Promise<void> {
    this.handled = new Map();
    const streams = grouped(admitted, ({ key }) => key).values();
    const lane = async () => {
      let batch: Keyed[] = [];
      let wanted = 0;
      const handleBatch = async () => {
        const full = batch;
        [batch, wanted] = [[], 0];
        await this.handle(full);
      };
      for (const stream of streams) {
        for (const each of stream) {
          for await (const event of this.versionsOf(each, handleBatch)) {
            batch.push({ key: each.key, event });
            if (isReadable(event) && this.handler.wants(event.eventType)) wanted++;
            if (wanted < this.handler.batch && batch.length < MAX_HELD) continue;
            await handleBatch();
          }
        }
      }
      await handleBatch();
    };
    const lanes = Array.from({ length: this.options.concurrency }, lane);
    // None may be left running behind the failure of another.
    await Promise.allSettled(lanes);
    await Promise.all(lanes);
  }

  /**
   * Handles a parked event, or leaves it out, and then what was held back behind it, up to one that is parked anew, as it
   * fails or cannot be read: by the policy under which this was parked, as what waits would be lost by another.
   *
   * @throws DeliveryEndedError; how far it has come is kept in the entry
   * @throws EventStoreUnavailableError
   */
  async settle(entry: ParkedEntry): Promise<Settled> {
    const { key, parked, late } = entry;
    const { stream, version, fromVersion, requested, poison } = parked;
    const settling = { poison, late };
    if (poison !== 'skip') this.held.delete(key);
    this.skipped.delete(placeOf(key, version));
    const range = {
      // Where settling was broken off, it is further already.
      fromVersion: requested === 'retry' ? fromVersion : Math.max(fromVersion, version + 1),
      ...(poison === 'skip' && { toVersion: version }),
    };
    let next = range.fromVersion;
    let eventTime = 0;
    try {
      for await (const event of this.feed.readStream(stream, range)) {
        await this.handle([{ key, event, settling }]);
        next = event.version + 1;
        ({ eventTime } = event);
        // It is parked anew, and what comes behind it waits.
        if (poison !== 'skip' && this.held.has(key)) break;
      }
    } catch (error) {
      if (isOutage(error) || error instanceof DeliveryEndedError) {
        if (poison !== 'skip') this.hold(key, stream, next);
        // What waits may be more than there is time for, and each time is to bring it nearer to its end.
        if (next > range.fromVersion) await this.parking.goOnFrom(entry, next).catch(ignoreOutage);
        throw error;
      }
      await this.park(
        { key, event: next > version ? named({ stream, version: next }) : parked, settling },
        1,
        error,
        next,
      );
    } finally {
      // This is no step of what is delivered, to which that could go back.
      this.handled = new Map();
    }
    return { version: Math.max(version, next - 1), eventTime };
  }

  /** Removes parked events at which the subscription had stopped, and which are behind it now. */
  async removeBehindUs(): Promise<void> {
    for (let [entry] = this.behindUs; entry; [entry] = this.behindUs) {
      await this.parking.remove(entry);
      this.behindUs.shift();
    }
  }

  /** The last version of a stream that the delivery under way, or the one that just failed, has handled. */
  lastHandled(key: string): number | undefined {
    return this.handled.get(key);
  }

  /** Whether events of a stream wait behind a parked one. */
  isHeld(key: string): boolean {
    return this.held.has(key);
  }

  /** What is held back, by the hash of the stream. */
  get heldStreams(): ReadonlyMap<string, Held> {
    return this.held;
  }

  private hold(key: string, stream: StreamId, version: number): void {
    this.held.set(key, { stream, version: Math.min(version, this.held.get(key)?.version ?? Infinity) });
  }

  private isHeldAt(key: string, version: number): boolean {
    return version >= (this.held.get(key)?.version ?? Infinity);
  }

  private isPassedOver({ key, event, settling }: Keyed): boolean {
    const { version } = event;
    if (isReadable(event) && !this.handler.wants(event.eventType)) return true;
    // One that was skipped neither waits for others nor lets them wait.
    if (settling?.poison === 'skip') return false;
    // Those before come again after a reset.
    if (this.isHeldAt(key, version)) return true;
    const isLeftOut = ({ key: stopped, parked }: ParkedEntry) =>
      stopped === key && parked.version === version && parked.requested === 'discard';
    return this.skipped.has(placeOf(key, version)) || this.stops.some(isLeftOut);
  }

  private noteHandled(key: string, version: number): void {
    this.handled.set(key, version);
    const isBehind = (entry: ParkedEntry) => entry.key === key && entry.parked.version <= version;
    if (!this.stops.some(isBehind)) return;
    this.behindUs.push(...this.stops.filter(isBehind));
    this.stops = this.stops.filter((entry) => !isBehind(entry));
  }

  /**
   * The event, behind the versions that the feed has not shown; it is parked where one of these cannot be read.
   *
   * @param handleBatch handles what was given before, and waits
   */
  private async *versionsOf(
    { key, event, fromVersion }: Admitted,
    handleBatch: () => Promise<void>,
  ): AsyncIterable<Keyed['event']> {
    const { stream, version } = event;
    let next = fromVersion;
    // Of a stream that is held, all is only passed over.
    for (let attempt = 0; next < version && !this.isHeldAt(key, next); attempt++) {
      try {
        for await (const missing of this.feed.readStream(stream, { fromVersion: next, toVersion: version - 1 })) {
          yield missing;
          next = missing.version + 1;
        }
        if (next < version) throw notThere(stream, next);
      } catch (error) {
        if (this.signal.aborted) throw new DeliveryEndedError('signal');
        if (isOutage(error)) {
          await backoff(attempt, this.signal);
          continue;
        }
        // Otherwise the versions before would count as held back with the event, and nobody came back to them.
        await handleBatch();
        // One of them may be parked by now, and the event waits behind that.
        if (this.isHeldAt(key, next)) break;
        this.handler.unreadable?.(error);
        return this.park({ key, event: named(event) }, attempt + 1, error, next);
      }
    }
    yield event;
  }

  private async handle(batch: readonly Keyed[]): Promise<void> {
    if (this.signal.aborted) throw new DeliveryEndedError('signal');
    const wanted = batch.filter((each) => !this.isPassedOver(each));
    if (wanted.length > 0) await this.handleWanted(wanted);
    for (const { key, event } of batch) this.noteHandled(key, event.version);
  }

  private async handleWanted(batch: readonly Keyed[]): Promise<void> {
    if (batch.length === 1) return this.handleOne(batch[0]!);
    try {
      const events = batch.map(({ event }) => event);
      if (!events.every(isReadable)) throw new Error('One of the events has to be read again.');
      await this.handler.handle(events, this.signal, ({ stream, version }) => {
        this.noteHandled(streamHash(stream), version);
      });
    } catch {
      if (this.signal.aborted) throw new DeliveryEndedError('signal');
      // One of them is at fault, and shows when it is alone.
      for (const each of batch) {
        if (this.isHeldAt(each.key, each.event.version)) continue;
        await this.handleOne(each);
        // Those behind it may end the delivery, and this one is not to come again by that.
        this.noteHandled(each.key, each.event.version);
      }
    }
  }

  private async handleOne(each: Keyed): Promise<void> {
    let failures = 0;
    let event = isReadable(each.event) ? each.event : undefined;
    for (let attempt = 0; ; attempt++) {
      if (this.signal.aborted) throw new DeliveryEndedError('signal');
      try {
        event ??= await this.readAgain(each.event);
        if (!this.handler.wants(event.eventType)) return;
        if (each.settling?.late && this.handler.handleLate) return await this.handler.handleLate(event);
        return await this.handler.handle([event], this.signal, () => {});
      } catch (error) {
        // One that ended by a signal of the handler's own was not refused for want of a database.
        if (!isOutage(error) || error instanceof OperationAbortedError) failures++;
        else if (attempt % REPORT_EVERY === 2) this.report(`waits, and tries again: ${(error as Error).message}`);
        if (failures >= this.options.attempts) {
          if (!event) this.handler.unreadable?.(error);
          return this.park({ ...each, event: event ?? named(each.event) }, failures, error);
        }
        await backoff(attempt, this.signal);
      }
    }
  }

  /** What an index or a stream has damaged, the table may have as it was. */
  private async readAgain({ stream, version }: UnreadableEvent): Promise<StoredEvent> {
    for await (const event of this.feed.readStream(stream, { fromVersion: version, toVersion: version })) return event;
    throw notThere(stream, version);
  }

  private async park(
    { key, event, settling }: Keyed<Parkable>,
    attempts: number,
    error: unknown,
    fromVersion: number = event.version,
  ): Promise<void> {
    const { poison, late } = settling ?? { poison: this.options.poison };
    const reason = { partition: this.partition, poison, attempts, fromVersion, error, ...(late && { late }) };
    const passes = poison === 'skip' && !late && this.handler.handleLate !== undefined;
    for (let attempt = 0; ; attempt++) {
      if (this.signal.aborted) throw new DeliveryEndedError('signal');
      try {
        await (passes ? this.parking.parkPassing(event, reason) : this.parking.park(event, reason));
        break;
      } catch (failure) {
        if (!isOutage(failure)) throw failure;
        await backoff(attempt, this.signal);
      }
    }
    // The text of the error may hold anything; it is in the parked event.
    this.report(
      `parked version ${event.version} of ${streamName(event.stream)} after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${thrownName(error)}`,
    );
    if (poison === 'stop-aggregate') {
      // After a reset, another one may be parked behind it: that comes with what waits now.
      if (this.held.has(key)) await this.parking.removeBehind(event, poison).catch(ignoreOutage);
      this.hold(key, event.stream, fromVersion);
    }
    if (poison === 'skip') this.skipped.add(placeOf(key, event.version));
    if (poison === 'stop-subscription') throw new DeliveryEndedError('poison');
  }
}

/** How far settling a parked event has brought its stream. */
export interface Settled {
  readonly version: number;
  /** Of the last event that was handled; 0 when there was none. */
  readonly eventTime: number;
}

interface Keyed<E = StoredEvent | UnreadableEvent> {
  readonly key: string;
  readonly event: E;
  /** Of the parked event with which it is settled: by which policy, and whether its turn has passed. */
  readonly settling?: { readonly poison: PoisonPolicy; readonly late: true | undefined };
}

function notThere(stream: StreamId, version: number): Error {
  return new Error(`Version ${version} of ${streamName(stream)} is not there.`);
}

function placeOf(key: string, version: number): string {
  return `${key}#${version}`;
}
