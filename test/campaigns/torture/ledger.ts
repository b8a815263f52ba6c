import type { EndedBooking, UnknownCommit } from './ended-booking.js';

const OUTCOMES = ['missing', 'acknowledged', 'refused', 'unknown', 'untyped'] as const;

export type BookingOutcome = (typeof OUTCOMES)[number];

/** How each command ended, in a byte a command; more is kept of those that need it. */
export class Ledger {
  readonly unknown = new Map<number, UnknownCommit>();
  /** How many commands were refused, by the name of the error. */
  readonly refusals = new Map<string, number>();
  readonly violations: string[] = [];
  private readonly outcomes: Uint8Array;

  constructor(size: number) {
    this.outcomes = new Uint8Array(size);
  }

  enter(ended: EndedBooking): void {
    const { number, outcome } = ended;
    if (this.outcomes[number] !== 0) this.violations.push(`Command ${number} ended twice.`);
    this.outcomes[number] = OUTCOMES.indexOf(outcome);
    if (outcome === 'refused') this.refusals.set(ended.reason, this.refused(ended.reason) + 1);
    if (outcome === 'unknown') this.unknown.set(number, ended.unknown);
    if (outcome === 'untyped') this.violations.push(`Command ${number} failed with ${ended.error}`);
  }

  outcomeOf(number: number): BookingOutcome {
    return OUTCOMES[this.outcomes[number]!]!;
  }

  count(outcome: BookingOutcome): number {
    const code = OUTCOMES.indexOf(outcome);
    return this.outcomes.reduce((count, found) => (found === code ? count + 1 : count), 0);
  }

  refused(reason: string): number {
    return this.refusals.get(reason) ?? 0;
  }
}
