import type { StoredEvent } from '../store/stored-event.js';
import { grouped } from '../subscription/grouped.js';
import { InlineProjections } from '../subscription/inline-projections.js';
import type { ProjectionMethods } from '../subscription/projection-methods.js';
import type { BookkeepingDouble } from './bookkeeping-double.js';

/** Hands events to an inline projection commit by commit, and each commit once, as it is stored once. */
export class InlineHandler {
  readonly batch = Infinity;

  constructor(
    private readonly name: string,
    private readonly methods: ProjectionMethods,
    private readonly bookkeeping: BookkeepingDouble,
  ) {}

  wants(eventType: string): boolean {
    return this.methods.wants(eventType);
  }

  async handle(events: readonly StoredEvent[]): Promise<void> {
    const types = [...new Set(events.map(({ stream }) => stream.aggregateType))];
    const inline = new InlineProjections();
    inline.add(this.name, types, this.methods);
    for (const commit of grouped(events, ({ commitId }) => commitId).values()) {
      const [first] = commit;
      const joined = await inline.writesOf(commit);
      if (joined.length === 0) continue;
      const position = {
        projection: this.name,
        stream: first!.stream,
        fromVersion: first!.version,
        version: commit.at(-1)!.version,
      };
      await this.bookkeeping.project(
        [position],
        joined.map(({ write }) => write),
      );
    }
  }
}
