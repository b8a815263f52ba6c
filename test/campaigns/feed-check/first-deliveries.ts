import { streamKey } from '../../../src/event/stream-id.js';
import type { StoredEvent } from '../../../src/store/stored-event.js';
import type { EventHandler } from '../../../src/subscription/event-handler.js';
import type { Random } from '../random.js';

/** One attempt of so many fails. */
const FAILS_ONCE_IN = 500;

/** Notes what is delivered, and in which order; fails now and then, as handlers do. */
export class FirstDeliveries implements EventHandler {
  readonly batch = 1;
  readonly violations: string[] = [];
  /** Versions delivered for the first time. */
  first = 0;
  again = 0;
  private readonly last = new Map<string, number>();

  constructor(private readonly random: Random) {}

  wants(): boolean {
    return true;
  }

  async handle(events: readonly StoredEvent[]): Promise<void> {
    if (this.random.below(FAILS_ONCE_IN) === 0) throw new Error('This attempt fails.');
    for (const { stream, version } of events) {
      const key = streamKey(stream);
      const last = this.last.get(key) ?? 0;
      if (version <= last) this.again++;
      else {
        if (version !== last + 1) this.violations.push(`${key}: version ${version} came after version ${last}.`);
        this.first++;
        this.last.set(key, version);
      }
    }
  }
}
