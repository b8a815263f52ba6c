import { types } from 'node:util';
import {
  CommitTooLargeError,
  InvalidEventError,
  NO_STREAM,
  recordedEventOf,
  UnserializableEventError,
  type Commit,
  type EventMetadata,
  type EventStore,
  type RecordedEvent,
  type StreamId,
} from '../../../src/index.js';
import { change } from './change.js';
import type { CountedClient } from './counted-client.js';
import { difference } from './difference.js';
import { photograph, transparentProxies, type Photo, type Shot } from './photograph.js';

/** A payload is neither stored as it was nor refused as it should be. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
}

/** What there is to store, made anew for each attempt. */
export interface Payload {
  readonly makeEvent: () => object;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Everything that was handed over is changed right after the call. */
  readonly changedAfterCall: boolean;
  readonly description: string;
}

export interface Tally {
  payloads: number;
  identical: number;
  changedAfterCall: number;
  readonly refused: Map<string, number>;
}

interface Kept {
  readonly photo: Shot;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly description: string;
}

/** Only these say that something cannot be stored. */
const REFUSALS = [UnserializableEventError, CommitTooLargeError, InvalidEventError];

/** Far beyond what a commit may take; one that takes longer hangs. */
const HANGS_AFTER_MS = 60_000;

/** Writes payloads to one stream, and then reads them all. */
export class PayloadStream {
  private readonly kept: Kept[] = [];
  private head = { version: 0, eventTime: 0 };

  constructor(
    private readonly store: EventStore,
    private readonly counted: CountedClient,
    private readonly stream: StreamId,
    private readonly tally: Tally,
  ) {}

  /** Each in a commit of its own, or all in one; when that is refused, nothing is stored. */
  async append(payloads: readonly Payload[]): Promise<'stored' | 'refused'> {
    const events = payloads.map(({ makeEvent }) => makeEvent());
    const before = events.map(photographEvent);
    const metadata = { ...payloads[0]!.metadata };
    const requests = this.counted.requests;
    const about = payloads.map(({ description }) => description).join(' AND ');

    const handedOver = [...events];
    const stream = { ...this.stream };
    const handedMetadata = { ...metadata } as Partial<EventMetadata>;
    const ending = this.ending({
      appends: [
        {
          stream,
          events: handedOver,
          expectedVersion: this.head.version,
          ...(this.head.version !== NO_STREAM && { loadedHead: this.head }),
        },
      ],
      metadata: handedMetadata,
    });
    const changed = payloads.some(({ changedAfterCall }) => changedAfterCall);
    if (changed) {
      for (const [index, event] of events.entries()) if (payloads[index]!.changedAfterCall) change(event);
      handedOver.length = 0;
      change(stream);
      Object.assign(handedMetadata, { userId: 'changed afterwards', added: 'afterwards' });
    }
    const refusal = await withinTime(ending, about);

    for (const [index, event] of events.entries()) {
      if (payloads[index]!.changedAfterCall) continue;
      const fault = difference(before[index]!, photographEvent(event), 'untouched');
      if (fault !== undefined) throw new PayloadError(`The event handed over was changed: ${about}: ${fault}`);
    }
    if (refusal) {
      if (!REFUSALS.some((kind) => refusal instanceof kind)) {
        throw new PayloadError(`Refused with ${nameOf(refusal)}: ${about}`, { cause: refusal });
      }
      const sent = this.counted.requests - requests;
      if (sent !== 0) throw new PayloadError(`Refused after ${sent} requests: ${about}`, { cause: refusal });
      this.note(payloads, (refusal as { code?: string }).code);
      return 'refused';
    }
    for (const [index, { description }] of payloads.entries())
      this.kept.push({ photo: before[index]!, metadata, description });
    const version = this.head.version + events.length;
    this.head = { version, eventTime: recordedEventOf(events.at(-1)!).eventTime.getTime() };
    this.note(payloads, undefined);
    return 'stored';
  }

  /** Reads what is there, and finds all that was stored, and nothing else. */
  async verify(): Promise<void> {
    const recorded: RecordedEvent[] = [];
    for await (const event of this.store.read(this.stream)) recorded.push(event);
    if (recorded.length !== this.kept.length) {
      throw new PayloadError(`${this.kept.length} events were stored, and ${recorded.length} are there.`);
    }
    for (const [index, { event, metadata, stream }] of recorded.entries()) {
      const { photo, metadata: expected, description } = this.kept[index]!;
      const fault =
        difference(photo, photographEvent(event), 'identical') ??
        difference(photograph(withoutUndefined(expected)), photograph(withoutUndefined(metadata)), 'identical') ??
        difference(photograph(this.stream), photograph(stream), 'identical');
      if (fault !== undefined) throw new PayloadError(`Came back changed: ${description}: ${fault}`);
      this.tally.identical++;
    }
  }

  private async ending(commit: Commit): Promise<unknown> {
    try {
      await this.store.commit(commit);
      return undefined;
    } catch (error) {
      return error ?? new PayloadError('Nothing was thrown.');
    }
  }

  private note(payloads: readonly Payload[], code: string | undefined): void {
    if (code !== undefined && payloads.length > 1) return;
    this.tally.payloads += payloads.length;
    this.tally.changedAfterCall += payloads.filter(({ changedAfterCall }) => changedAfterCall).length;
    if (code !== undefined) this.tally.refused.set(code, (this.tally.refused.get(code) ?? 0) + 1);
  }
}

/** Symbols hidden at an event belong to others, who keep things there; they are no data of it. */
function photographEvent(event: object): Shot {
  const seen = types.isProxy(event) ? transparentProxies.get(event) : event;
  const shot = photograph(event);
  if (!seen) return shot;
  const photo = shot as Photo;
  const properties = photo.properties.filter(({ key, enumerable }) => typeof key === 'string' || enumerable);
  return { ...photo, properties };
}

/** In the order of names, as metadata has none. */
function withoutUndefined(metadata: Readonly<Record<string, unknown>>): object {
  const entries = Object.entries(metadata).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

async function withinTime(ending: Promise<unknown>, about: string): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PayloadError(`Neither stored nor refused: ${about}`)), HANGS_AFTER_MS);
  });
  try {
    return await Promise.race([ending, late]);
  } finally {
    clearTimeout(timer);
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? `${error.constructor.name} (${error.message.slice(0, 200)})` : typeof error;
}
