import type { StreamId } from '../event/stream-id.js';
import type { Bookkeeping } from '../store/bookkeeping.js';
import { positionAt, timeOf, type EventFeed, type FeedEvent } from '../store/event-feed.js';
import { sideBySide } from '../store/side-by-side.js';
import { Delivery, DeliveryEndedError, type DeliveryOptions } from './delivery.js';
import type { EventHandler } from './event-handler.js';
import { firstVersionBehind } from './first-version.js';
import { streamHash, type Admitted } from './gate.js';
import { grouped } from './grouped.js';
import { leaseOf, type Leases } from './leases.js';
import type { ParkedEntry, Parking } from './parking.js';

export interface PushedEventsOptions extends DeliveryOptions {
  readonly name: string;
  /** Where to begin in streams of which nothing is known; milliseconds since 1970. */
  readonly from: number;
  /** By when to be ready; milliseconds since 1970. */
  readonly endsAt: number;
}

export interface PushedEventsParts {
  readonly handler: EventHandler;
  readonly feed: EventFeed;
  readonly bookkeeping: Bookkeeping;
  readonly parking: Parking;
  readonly leases: Leases;
  readonly report: (message: string) => void;
}

export type PushedEvent = FeedEvent['event'];

/**
 * So long after its end, a handler may still be at the event that it had then: until Lambda ends the process, by a clock
 * that differs; in milliseconds.
 */
const ENDING_MS = 5000;

/** What was pushed of one stream. */
interface Pushed {
  readonly key: string;
  readonly stream: StreamId;
  /** By version. */
  readonly events: readonly PushedEvent[];
}

/** A pushed stream, and the version from which it goes on. */
interface Going extends Pushed {
  readonly next: number;
}

/**
 * Handles a batch of events that was brought to this process, as Lambda brings them. Nothing is remembered of what was
 * brought before, here or elsewhere: how far each stream has come is read before, and kept after. So a version comes
 * once whichever way the batch lies, and what was never brought is read from the table.
 */
export class PushedEvents {
  private readonly signal: AbortSignal;
  private checkpoints: ReturnType<Leases['all']> | undefined;

  constructor(
    private readonly parts: PushedEventsParts,
    private readonly options: PushedEventsOptions,
  ) {
    this.signal = AbortSignal.timeout(Math.max(0, Math.floor(options.endsAt - Date.now())));
  }

  /**
   * @returns the events that have to be brought again
   * @throws DeliveryEndedError at an event at which the subscription stops
   * @throws EventStoreUnavailableError
   */
  async handle(events: readonly PushedEvent[]): Promise<readonly PushedEvent[]> {
    const busy = await this.settleRequested();
    const entries = await this.parts.parking.list();
    const streams = byStream(events.filter(({ eventTime }) => eventTime >= this.options.from));
    const free = streams.filter(({ key }) => !busy.has(key));
    const partitions = grouped(free, ({ stream }) => this.parts.feed.partitionOf(stream));
    const again = await sideBySide([...partitions], partitions.size, ([partition, pushed]) =>
      this.handlePartition(partition, pushed, entries),
    );
    return [...again.flat(), ...streams.filter(({ key }) => busy.has(key)).flatMap((each) => each.events)];
  }

  private async handlePartition(
    partition: string,
    pushed: readonly Pushed[],
    entries: readonly ParkedEntry[],
  ): Promise<readonly PushedEvent[]> {
    const delivery = this.deliveryIn(partition);
    delivery.remember(entries.filter((entry) => entry.partition === partition));
    // Of a stream that is held, the table has what was pushed, for when the parked event is settled.
    const going = await this.goingOn(
      partition,
      pushed.filter(({ key }) => !delivery.isHeld(key)),
    );
    const admitted = going.flatMap((stream) => admit(stream));
    const ended = await delivery.deliver(admitted).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const handledIn = ({ key, events }: Pushed) => (ended ? delivery.lastHandled(key) : events.at(-1)!.version) ?? 0;
    await sideBySide(going, this.options.concurrency, async (stream) => {
      const handled = handledIn(stream);
      if (handled >= stream.next && !delivery.isHeld(stream.key)) await this.moveTo(stream.stream, handled);
    });
    await delivery.removeBehindUs();
    if (!ended) return [];
    if (!(ended.error instanceof DeliveryEndedError && ended.error.reason === 'signal')) throw ended.error;
    return going
      .filter(({ key }) => !delivery.isHeld(key))
      .flatMap((stream) => {
        const reached = Math.max(stream.next - 1, handledIn(stream));
        return stream.events.filter(({ version }) => version > reached);
      });
  }

  private async goingOn(partition: string, pushed: readonly Pushed[]): Promise<readonly Going[]> {
    const { bookkeeping } = this.parts;
    const streams = pushed.map(({ stream }) => stream);
    const positions = await bookkeeping.positionsOf(this.options.name, streams);
    const known = pushed.map((each, index) => ({ ...each, next: positions[index]! + 1 }));
    return sideBySide(known, this.options.concurrency, async (each) => ({
      ...each,
      next: Math.max(each.next, await this.firstUnread(partition, each)),
    }));
  }

  /** Of what lies between the position and the first event that was pushed, some may have been handled from the feed. */
  private async firstUnread(partition: string, { key, events, next }: Going): Promise<number> {
    const [first] = events;
    if (first!.version <= next) return next;
    const { feed } = this.parts;
    const begin = positionAt(this.options.from);
    this.checkpoints ??= this.parts.leases.all();
    const checkpoint = leaseOf(await this.checkpoints, partition)?.checkpoint;
    const settled = checkpoint && checkpoint.settled > begin ? checkpoint.settled : begin;
    const recent = (checkpoint?.recent[key] ?? 0) + 1;
    if (timeOf(settled) === 0 || recent > 1) return recent;
    const unread = events.find((event) => feed.positionOf(event) > settled);
    if (!unread) return events.at(-1)!.version + 1;
    return (await firstVersionBehind(feed, unread, settled, next)).version;
  }

  /** Settles parked events as operators have asked; the streams of those that another process is settling are busy. */
  private async settleRequested(): Promise<ReadonlySet<string>> {
    const { parking } = this.parts;
    const busy = new Set<string>();
    for (const entry of await parking.list()) {
      const { requested, poison, stream } = entry.parked;
      // One at which the subscription had stopped is brought again.
      if (!requested || poison === 'stop-subscription') continue;
      const claimed = await parking.claim(entry, this.options.endsAt + ENDING_MS);
      if (!claimed) {
        busy.add(entry.key);
        continue;
      }
      const delivery = this.deliveryIn(entry.partition);
      const { version } = await delivery.settle(claimed);
      if (poison !== 'skip' && !delivery.isHeld(entry.key)) await this.moveTo(stream, version);
      // It is there again, as a new one, where it failed once more.
      await parking.remove(claimed);
    }
    return busy;
  }

  private async moveTo(stream: StreamId, version: number): Promise<void> {
    const position = { projection: this.options.name, stream, fromVersion: version, version };
    // It is there already where the handler's own writes have moved it.
    await this.parts.bookkeeping.project([position], []);
  }

  private deliveryIn(partition: string): Delivery {
    const { handler, feed, parking, report } = this.parts;
    return new Delivery(handler, feed, parking, partition, this.options, report, this.signal);
  }
}

function byStream(events: readonly PushedEvent[]): readonly Pushed[] {
  return [...grouped(events, ({ stream }) => streamHash(stream))].map(([key, found]) => ({
    key,
    stream: found[0]!.stream,
    events: found.toSorted((one, other) => one.version - other.version),
  }));
}

/** Each version once, each with those before it that were not pushed. */
function admit({ key, events, next }: Going): readonly Admitted[] {
  const admitted: Admitted[] = [];
  let fromVersion = next;
  for (const event of events) {
    if (event.version < fromVersion) continue;
    admitted.push({ key, event, fromVersion });
    fromVersion = event.version + 1;
  }
  return admitted;
}
