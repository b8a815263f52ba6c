import type { Bookkeeping, BookkeepingEntry } from '../store/bookkeeping.js';

/** What an operator has said of one generation of a subscription, for all processes. */
export interface Control {
  readonly state: 'running' | 'paused' | 'stopped';
  /** Grows with each request about parked events. */
  readonly requests: number;
  /** Grows with each reset; absent before the first one. */
  readonly resets?: number;
}

/** A view that is built beside the live one. */
export interface Rebuild {
  readonly generation: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** How many events there were then. */
  readonly total: number;
}

export interface Generations {
  readonly live: number;
  readonly rebuild?: Rebuild;
  /** The highest number that was given out. */
  readonly last: number;
}

const RUNNING: Control = { state: 'running', requests: 0 };
const FIRST: Generations = { live: 1, last: 1 };
const GENERATIONS = 'generations';

/** What operators have said of a subscription, at one moment. */
export class ControlsSeen {
  constructor(private readonly entries: readonly BookkeepingEntry[]) {}

  get generations(): Generations {
    return (this.entry(GENERATIONS)?.value as Generations | undefined) ?? FIRST;
  }

  of(generation: number): Control {
    return (this.entry(idOf(generation))?.value as Control | undefined) ?? RUNNING;
  }

  entry(id: string): BookkeepingEntry | undefined {
    return this.entries.find((entry) => entry.id === id);
  }
}

/** What operators say of a subscription; all processes look at it now and then. */
export class Controls {
  private readonly subject: readonly string[];

  constructor(
    private readonly bookkeeping: Bookkeeping,
    subscription: string,
  ) {
    this.subject = ['control', subscription];
  }

  async seen(): Promise<ControlsSeen> {
    return new ControlsSeen(await this.bookkeeping.entries(this.subject));
  }

  async change(generation: number, change: (control: Control) => Control): Promise<void> {
    await this.rewrite(idOf(generation), (seen) => change(seen.of(generation)));
  }

  /** @param change may be asked again, when another change came first; what it throws ends this */
  async changeGenerations(change: (generations: Generations) => Generations): Promise<void> {
    await this.rewrite(GENERATIONS, (seen) => change(seen.generations));
  }

  private async rewrite(id: string, change: (seen: ControlsSeen) => unknown): Promise<void> {
    for (;;) {
      const seen = await this.seen();
      if (await this.bookkeeping.write(this.subject, id, change(seen), seen.entry(id)?.revision ?? 0)) return;
    }
  }
}

function idOf(generation: number): string {
  return generation === 1 ? 'control' : `control~${generation}`;
}
