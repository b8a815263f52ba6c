import type { EventStore, StreamId } from '../../../src/index.js';
import { recordedEventOf } from '../../../src/index.js';
import type { Random } from '../random.js';
import { Counted, COUNTER, type Total } from './totals.js';

const MOST_IN_COMMIT = 10;

export const streamOf = (aggregateId: string): StreamId => ({ aggregateType: COUNTER, aggregateId });

/** Writes counters, and knows what their view has to say. */
export class WrittenLog {
  events = 0;
  private readonly written = new Map<string, { total: number; readonly times: number[] }>();

  constructor(
    private readonly store: EventStore,
    private readonly random: Random,
  ) {}

  get ids(): readonly string[] {
    return [...this.written.keys()];
  }

  /** Appends to one counter. No two may be under way for one. */
  async append(id: string): Promise<void> {
    const counter = this.written.get(id) ?? { total: 0, times: [] };
    const amounts = Array.from({ length: 1 + this.random.below(MOST_IN_COMMIT) }, () => this.random.below(1000));
    const events = amounts.map((amount) => new Counted(amount));
    await this.store.append(streamOf(id), events, { expectedVersion: counter.times.length });
    this.written.set(id, counter);
    counter.total += amounts.reduce((sum, amount) => sum + amount, 0);
    counter.times.push(...events.map((event) => recordedEventOf(event).eventTime.getTime()));
    this.events += events.length;
  }

  total(id: string): Total {
    const { total, times } = this.written.get(id)!;
    return { id, total, events: times.length, version: times.length };
  }

  /** The last version before a time. */
  versionBefore(id: string, time: number): number {
    return this.written.get(id)!.times.filter((each) => each < time).length;
  }
}
