import * as fc from 'fast-check';
import {
  Aggregate,
  AggregateRoot,
  EventType,
  On,
  type Class,
  type RecordedEvent,
  type StreamId,
} from '../../../src/index.js';

/** Aggregates of one behaviour and every way to take snapshots, whose state shows each event and their order. */

@EventType('model.Booked')
export class Booked {
  constructor(
    readonly amount: bigint,
    readonly day: Date,
  ) {}
}

@EventType('model.Noted', { version: 3, aliases: ['model.Remarked'] })
export class Noted {
  constructor(
    readonly key: string,
    readonly text: string | undefined,
  ) {}
}

@EventType('model.Closed')
export class Closed {}

export type LedgerEvent = Booked | Noted | Closed;

export interface LedgerState {
  readonly balance: bigint;
  /** Differs for each order of events. */
  readonly trail: number;
  readonly lastDay: Date | undefined;
  readonly notes: ReadonlyMap<string, string | undefined>;
  readonly closed: number;
}

export const EMPTY: LedgerState = { balance: 0n, trail: 0, lastDay: undefined, notes: new Map(), closed: 0 };

const TRAIL_BOUND = 1_000_003;

export function after(state: LedgerState, event: LedgerEvent): LedgerState {
  const step = event instanceof Booked ? Number(event.amount % 1000n) + 2000 : event instanceof Noted ? 3 : 7;
  const next = { ...state, trail: (state.trail * 31 + step) % TRAIL_BOUND };
  if (event instanceof Booked) return { ...next, balance: state.balance + event.amount, lastDay: event.day };
  if (event instanceof Noted) return { ...next, notes: new Map([...state.notes, [event.key, event.text]]) };
  return { ...next, closed: state.closed + 1 };
}

export abstract class Ledger extends AggregateRoot {
  state = EMPTY;

  @On(Booked) protected onBooked(event: Booked): void {
    this.state = after(this.state, event);
  }

  @On(Noted) protected onNoted(event: Noted): void {
    this.state = after(this.state, event);
  }

  @On(Closed) protected onClosed(event: Closed): void {
    this.state = after(this.state, event);
  }
}

@Aggregate('model-every', { snapshotEvery: 3 })
class LedgerEvery extends Ledger {}

@Aggregate('model-inline', { snapshot: 'inline', snapshotVersion: 2 })
class LedgerInline extends Ledger {}

@Aggregate('model-policy', { snapshot: (_: Ledger, { event }: RecordedEvent) => event instanceof Closed })
class LedgerByPolicy extends Ledger {}

@Aggregate('model-plain')
class LedgerPlain extends Ledger {}

/** By aggregate type. */
export const LEDGERS: ReadonlyMap<string, Class<Ledger>> = new Map<string, Class<Ledger>>([
  ['model-every', LedgerEvery],
  ['model-inline', LedgerInline],
  ['model-policy', LedgerByPolicy],
  ['model-plain', LedgerPlain],
]);

export function newLedger({ aggregateType, aggregateId }: StreamId): Ledger {
  return new (LEDGERS.get(aggregateType)!)(aggregateId);
}

/** The version of the state's shape that `@Aggregate` gives. */
export function snapshotVersionOf({ aggregateType }: StreamId): number {
  return aggregateType === 'model-inline' ? 2 : 1;
}

/** Stands in a plan for a text so long that the event, and the state, are stored compressed. */
const LONG = '(long)';

/** How to make an event anew, as each store gets an instance of its own. */
export type EventPlan =
  | { readonly kind: 'booked'; readonly amount: number; readonly day: number }
  | { readonly kind: 'noted'; readonly key: string; readonly text: string | undefined }
  | { readonly kind: 'closed' }
  /** One that no store can keep. */
  | { readonly kind: 'unstorable' };

export function eventFrom(plan: EventPlan): LedgerEvent {
  switch (plan.kind) {
    case 'booked':
      return new Booked(BigInt(plan.amount), new Date(plan.day * 86_400_000));
    case 'noted':
      return new Noted(plan.key, plan.text === LONG ? LONG.repeat(150) : plan.text);
    case 'closed':
      return new Closed();
    case 'unstorable':
      return new Booked(Symbol('amount') as unknown as bigint, new Date(Number.NaN));
  }
}

const booked = fc.record({ kind: fc.constant('booked' as const), amount: fc.integer(), day: fc.nat(20_000) });

const noted = fc.record({
  kind: fc.constant('noted' as const),
  key: fc.constantFrom('a', 'b', '__proto__', '$', 'ü'),
  text: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.constant(undefined), fc.constant(LONG)),
});

const closed = fc.constant({ kind: 'closed' as const });

/** Events that every store takes. */
export const goodEvent: fc.Arbitrary<EventPlan> = fc.oneof(
  { weight: 6, arbitrary: booked },
  { weight: 3, arbitrary: noted },
  { weight: 2, arbitrary: closed },
);

export const anyEvent: fc.Arbitrary<EventPlan> = fc.oneof(
  { weight: 60, arbitrary: goodEvent },
  { weight: 1, arbitrary: fc.constant({ kind: 'unstorable' as const }) },
);
