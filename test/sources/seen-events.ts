import type { StoredEvent } from '../../src/store/stored-event.js';
import type { EventHandler } from '../../src/subscription/event-handler.js';

/** A handler that notes what it was given, and fails where a test says so. */
export class SeenEvents implements EventHandler {
  readonly batch = 1;
  readonly all: StoredEvent[] = [];
  failing: (event: StoredEvent) => boolean = () => false;

  private readonly blocks: {
    at: (event: StoredEvent) => boolean;
    reached: (signal?: AbortSignal) => void;
    opened: Promise<void>;
  }[] = [];

  /** Lets one version of an aggregate take until it is opened. */
  blockAt(version: number, aggregateId = 'a') {
    let open = () => {};
    const block = { isReached: false, isToEnd: false, open: () => open() };
    this.blocks.push({
      at: (event) => event.version === version && event.stream.aggregateId === aggregateId,
      reached: (signal) => {
        block.isReached = true;
        signal?.addEventListener('abort', () => (block.isToEnd = true));
      },
      opened: new Promise<void>((resolve) => (open = resolve)),
    });
    return block;
  }

  wants(): boolean {
    return true;
  }

  async handle(events: readonly StoredEvent[], signal?: AbortSignal): Promise<void> {
    // Others get their turn, as with a database.
    await new Promise(setImmediate);
    for (const { reached, opened } of this.blocks.filter((block) => events.some(block.at))) {
      reached(signal);
      await opened;
    }
    if (events.some((event) => this.failing(event))) throw new Error('The view is broken.');
    this.all.push(...events);
  }

  /** The versions of an aggregate, as they came. */
  of(aggregateId: string): readonly number[] {
    return this.all.filter(({ stream }) => stream.aggregateId === aggregateId).map(({ version }) => version);
  }
}
