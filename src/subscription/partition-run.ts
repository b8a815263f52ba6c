import { positionAt, timeOf, type EventFeed, type FeedEvent } from '../store/event-feed.js';
import type { StoredEvent } from '../store/stored-event.js';
import { backoff, isOutage, pause } from './backoff.js';
import { Delivery, DeliveryEndedError, type DeliveryOptions, type Settled } from './delivery.js';
import type { EventHandler } from './event-handler.js';
import { FeedReader, type FeedTiming } from './feed-reader.js';
import { firstVersionBehind } from './first-version.js';
import { Gate, streamHash, type Admitted, type Known, type Passed } from './gate.js';
import { checkpointAt, LeaseLostError, type Checkpoint, type HeldLease } from './leases.js';
import type { ParkedEntry, Parking } from './parking.js';

export interface PartitionRunOptions extends DeliveryOptions {
  readonly timing: FeedTiming;
  /** Where to begin without a checkpoint; milliseconds since 1970. */
  readonly from: number;
  /** Shortest time between two checkpoints while there is work. */
  readonly checkpointEveryMs: number;
}

export interface PartitionRunParts {
  readonly feed: EventFeed;
  readonly handler: EventHandler;
  readonly parking: Parking;
  readonly report: (message: string) => void;
}

/** Why a partition is not read any more. */
export type PartitionEnd = 'stopped' | 'poison' | 'lost';

/** So many events are handled before the next checkpoint may be written: a crash repeats no more. */
const CHUNK = 500;

/** A checkpoint names so many streams; those beyond, the ones that moved longest ago, are handled again after a crash. */
const RECENT_IN_CHECKPOINT = 300;
/** The last one before a planned stop names more, as it is written once. An entry of bookkeeping holds 400 KB. */
const RECENT_AT_RELEASE = 8000;

/** So many events that were offered wait at most; others come from the feed. */
const MAX_OFFERED = 1000;
/** A partition that is so far behind, in milliseconds, takes no offers: it has to read what is older first. */
const NEAR_MS = 15_000;

/** Of what others have settled, so many streams are looked at between two pages. */
const RELEASED_AT_ONCE = 25;

/** While the database is out of reach, one in so many attempts is reported. */
const REPORT_EVERY = 20;

/** A parked event that is to be settled. */
interface Request {
  readonly entry: ParkedEntry;
  /** Once it is, and only its entry has to be removed. */
  settled?: Settled & { readonly entry: ParkedEntry };
  /** Whether the feed is known to bring events before it, once that was asked. */
  isExpected?: boolean;
}

/** The first version that a parked event is to be settled with. */
function firstOf({ entry: { parked } }: Request): number {
  return Math.min(parked.fromVersion, parked.version);
}

/** Reads one partition as long as it holds the lease: feed, gate, delivery, checkpoint. */
export class PartitionRun {
  private readonly ending = new AbortController();
  private readonly reader: FeedReader;
  private readonly gate: Gate;
  private readonly delivery: Delivery;
  private readonly requests: Request[] = [];
  /** Streams that are held back here, though nothing of them seems to be parked any more. */
  private readonly released = new Set<string>();
  private readonly offered: FeedEvent[] = [];
  private naptime = new AbortController();
  private count: number;
  private savedAt = 0;
  private unsaved = false;
  private recentSaved = false;
  private knowsParked = false;

  constructor(
    private readonly lease: HeldLease,
    private readonly parts: PartitionRunParts,
    private readonly options: PartitionRunOptions,
  ) {
    const checkpoint = lease.checkpoint ?? checkpointAt(options.from);
    this.count = checkpoint.handled ?? 0;
    this.reader = new FeedReader(parts.feed, lease.partition, options.timing, checkpoint);
    this.gate = new Gate(parts.feed, checkpoint);
    this.recentSaved = Object.keys(checkpoint.recent).length > 0;
    const { feed, handler, parking, report } = parts;
    this.delivery = new Delivery(handler, feed, parking, lease.partition, options, report, this.ending.signal);
  }

  get partition(): string {
    return this.lease.partition;
  }

  /** All up to this position has been read once. */
  get lead(): string {
    return this.reader.places.lead;
  }

  /** How many events were handled since the subscription began. */
  get handled(): number {
    return this.count;
  }

  get isEnding(): boolean {
    return this.ending.signal.aborted;
  }

  /** Ends after what is under way. */
  end(): void {
    this.ending.abort();
    this.wake();
  }

  /** Looks at once whether there is something new. */
  wake(): void {
    this.reader.hurry();
    this.naptime.abort();
  }

  /** Takes an event that was found before the feed has shown it; the feed brings it as well. */
  offer(event: StoredEvent): void {
    const { timing } = this.options;
    const { marginMs, pollMs, backtrackMs } = timing;
    // What is settled is as near as this only where it was set, by a reset to a later time or by where it begins.
    const { settled } = this.reader.places;
    const from = Math.max(this.options.from, timeOf(settled) > Date.now() - backtrackMs ? timeOf(settled) : 0);
    // While much is to be read before it, it comes in its turn.
    const isBehind = Date.now() - timeOf(this.lead) > marginMs + pollMs + NEAR_MS;
    if (event.eventTime < from || isBehind || this.offered.length >= MAX_OFFERED) return;
    // Behind the place of the event, as its version must not count as settled before the feed has passed it.
    this.offered.push({ position: positionAt(event.eventTime + 1), event });
    this.naptime.abort();
  }

  /**
   * Looks at what is parked in all of the subscription: between two pages, what was asked for is settled, and what this
   * process still holds back behind an event that another one has settled goes on.
   */
  settleParked(entries: readonly ParkedEntry[]): void {
    const own = entries.filter(({ partition }) => partition === this.partition);
    for (const entry of own) if (entry.parked.requested) this.request(entry);
    const parked = new Set(own.map(({ key }) => key));
    for (const key of this.delivery.heldStreams.keys()) if (!parked.has(key)) this.released.add(key);
    if (this.released.size > 0) this.wake();
  }

  private request(entry: ParkedEntry): void {
    const { id, poison } = entry.parked;
    // One at which the subscription had stopped comes again in its turn.
    if (poison === 'stop-subscription' || this.requests.some(({ entry: { parked } }) => parked.id === id)) return;
    this.requests.push({ entry });
    this.wake();
  }

  async run(): Promise<PartitionEnd> {
    const { signal } = this.ending;
    for (let failures = 0; !signal.aborted;) {
      try {
        if (!this.knowsParked) await this.lookAtParked();
        while (!signal.aborted) {
          await this.step();
          failures = 0;
        }
      } catch (error) {
        if (error instanceof LeaseLostError) return 'lost';
        if (error instanceof DeliveryEndedError) {
          if (error.reason === 'poison') return this.giveBack('poison');
          break;
        }
        if (!isOutage(error)) throw error;
        if (++failures % REPORT_EVERY === 0)
          this.parts.report(`${this.partition} waits, and tries again: ${(error as Error).message}`);
        await backoff(failures - 1, signal);
      }
    }
    return this.giveBack('stopped');
  }

  private async lookAtParked(): Promise<void> {
    const entries = (await this.parts.parking.list()).filter(({ partition }) => partition === this.partition);
    this.delivery.remember(entries);
    this.settleParked(entries);
    this.knowsParked = true;
  }

  private async step(): Promise<void> {
    if (this.released.size > 0) await this.goOnBehindOthers();
    const settled = await this.settleNext();
    const offered = this.offered.splice(0);
    if (offered.length > 0) {
      await this.handle(offered, () => 'told');
      await this.saveIfDue();
    }
    const page = await this.reader.read(this.ending.signal);
    if (!page) {
      if (!settled && this.released.size === 0) await this.nap();
      return;
    }
    for (let start = 0; start < page.events.length; start += CHUNK) {
      const events = page.events.slice(start, start + CHUNK);
      await this.handle(events, (time) => (time <= page.completeUntil ? 'shown' : undefined));
      page.reached(events.at(-1)!.position);
      this.gate.settle(this.reader.places.settled);
      await this.saveIfDue();
    }
    page.done();
    this.gate.settle(this.reader.places.settled);
    await this.saveIfDue();
  }

  /** Settles the first parked event that may be, between two pages. */
  private async settleNext(): Promise<boolean> {
    for (const request of this.requests) this.noteWhatCame(request);
    for (const [index, request] of this.requests.entries()) {
      if (await this.comesLater(request)) continue;
      await this.settle(request);
      this.requests.splice(index, 1);
      return true;
    }
    return false;
  }

  /** What is held back here behind events that another process has settled is parked, and settled in its turn. */
  private async goOnBehindOthers(): Promise<void> {
    const { parking } = this.parts;
    const entries = await parking.list();
    for (const key of [...this.released].slice(0, RELEASED_AT_ONCE)) {
      const held = this.delivery.heldStreams.get(key);
      const entry = held && (await parking.parkBehind(held, this.partition, entries));
      if (entry) this.request(entry);
      this.released.delete(key);
    }
  }

  private async handle(events: readonly FeedEvent[], knownBefore: (eventTime: number) => Known): Promise<void> {
    const before = new Map<string, Passed | undefined>();
    const admitted: Admitted[] = [];
    try {
      for (const found of events) {
        const key = streamHash(found.event.stream);
        if (!before.has(key)) before.set(key, this.gate.passedOf(key));
        const passing = await this.gate.admit(key, found, knownBefore(found.event.eventTime));
        if (passing) admitted.push(passing);
      }
      if (admitted.length > 0) await this.delivery.deliver(admitted);
    } catch (error) {
      for (const { key, event, fromVersion } of admitted)
        this.noteHandled(fromVersion, Math.min(event.version, this.delivery.lastHandled(key) ?? 0));
      this.goBack(before);
      throw error;
    }
    for (const { event, fromVersion } of admitted) this.noteHandled(fromVersion, event.version);
  }

  private noteHandled(from: number, to: number): void {
    if (to < from) return;
    this.count += to - from + 1;
    this.unsaved = true;
  }

  /** The gate has let through what was not handled, and the page will be read again. */
  private goBack(before: ReadonlyMap<string, Passed | undefined>): void {
    for (const [key, passed] of before) {
      const version = this.delivery.lastHandled(key);
      const position = this.gate.passedOf(key)?.position;
      this.gate.goBack(key, version !== undefined && position !== undefined ? { version, position } : passed);
    }
  }

  /** The gate may have forgotten it when its turn comes. */
  private noteWhatCame(request: Request): void {
    const passed = this.gate.passedOf(request.entry.key)?.version;
    if (passed !== undefined && passed >= firstOf(request) - 1) request.isExpected = false;
  }

  /** Whether the feed, after a reset, still has to bring events before a parked one. */
  private async comesLater(request: Request): Promise<boolean> {
    const { key, parked } = request.entry;
    const { stream } = parked;
    const first = firstOf(request);
    const passed = this.gate.passedOf(key)?.version;
    if (passed !== undefined) return passed < first - 1;
    const { settled } = this.reader.places;
    if (request.isExpected === undefined) {
      // It is enough to know of the one before it.
      const before = Math.max(1, first - 1);
      const due = await firstVersionBehind(this.parts.feed, { stream, version: first }, settled, before);
      // What cannot be read keeps nothing waiting.
      request.isExpected = due.isCertain && due.version < first;
    }
    return request.isExpected;
  }

  private async settle(request: Request): Promise<void> {
    const { key, parked } = request.entry;
    if (!request.settled) {
      const entry = await this.parts.parking.find(parked.id);
      // It comes with one before it that was parked meanwhile, or has failed again; or another process has settled it.
      if (!entry) this.released.add(key);
      if (!entry?.parked.requested) return;
      request.settled = { entry, ...(await this.delivery.settle(entry)) };
    }
    const { entry, version, eventTime } = request.settled;
    // The feed may show it only later.
    const place = positionAt(eventTime + 1);
    if (parked.poison !== 'skip') this.gate.pass(key, version, place > this.lead ? place : this.lead);
    // It is there again, as a new one, where it failed once more.
    await this.parts.parking.remove(entry);
    this.unsaved = true;
  }

  private async saveIfDue(): Promise<void> {
    const now = performance.now();
    const emptied = this.recentSaved && Object.keys(this.gate.recent(1)).length === 0;
    if (!(this.unsaved || emptied) || now - this.savedAt < this.options.checkpointEveryMs) return;
    const checkpoint = this.checkpoint(RECENT_IN_CHECKPOINT);
    await this.lease.save(checkpoint);
    await this.delivery.removeBehindUs();
    this.savedAt = now;
    this.unsaved = false;
    this.recentSaved = Object.keys(checkpoint.recent).length > 0;
  }

  private checkpoint(recent: number): Checkpoint {
    const { gate, reader } = this;
    return { ...reader.places, recent: gate.recent(recent), recentUntil: gate.recentUntil, handled: this.count };
  }

  private async giveBack(end: PartitionEnd): Promise<PartitionEnd> {
    try {
      await this.lease.release(this.checkpoint(RECENT_AT_RELEASE));
      await this.delivery.removeBehindUs();
    } catch (error) {
      if (error instanceof LeaseLostError) return 'lost';
      if (!isOutage(error)) throw error;
    }
    return end;
  }

  private async nap(): Promise<void> {
    if (this.offered.length > 0 || this.isEnding) return;
    // `end` ends the nap as well. In Node.js 20 a signal made of both would stay with the one that lives longer.
    this.naptime = new AbortController();
    await pause(this.reader.dueAt - Date.now(), this.naptime.signal);
  }
}
