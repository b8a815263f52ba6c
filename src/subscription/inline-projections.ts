import type { StoredEvent } from '../store/stored-event.js';
import type { JoinedWrite } from '../store/joined-write.js';
import { TableWriteRefusedError, type TableWrite } from '../store/table-write.js';
import { streamKey } from '../event/stream-id.js';
import { grouped } from './grouped.js';
import type { ProjectionMethods } from './projection-methods.js';
import { meetInOneItem } from './projection-transaction.js';
import { SubscriptionError } from './subscription-errors.js';

interface InlineProjection {
  readonly aggregateTypes: readonly string[];
  readonly methods: ProjectionMethods;
}

/** The projections whose writes join the commits. */
export class InlineProjections {
  private readonly projections = new Map<string, InlineProjection>();

  get isEmpty(): boolean {
    return this.projections.size === 0;
  }

  /** @throws SubscriptionError when the name is taken */
  add(name: string, aggregateTypes: readonly string[], methods: ProjectionMethods): void {
    if (this.projections.has(name)) {
      throw new SubscriptionError(`Two inline projections share the name "${name}": rename one of them.`);
    }
    this.projections.set(name, { aggregateTypes, methods });
  }

  /**
   * What is to be stored with a commit.
   *
   * @throws TableWriteRefusedError when two writes mean one item
   * @throws whatever a method throws
   */
  async writesOf(events: readonly StoredEvent[]): Promise<readonly JoinedWrite[]> {
    const joined: JoinedWrite[] = [];
    for (const [projection, { aggregateTypes, methods }] of this.projections) {
      const wanted = events.filter(
        ({ stream, eventType }) => aggregateTypes.includes(stream.aggregateType) && methods.wants(eventType),
      );
      for (const stream of grouped(wanted, ({ stream: id }) => streamKey(id)).values()) {
        for (const writes of await methods.writesOf(stream)) {
          assertOnce(projection, joined, writes);
          joined.push(...writes.map((write) => ({ projection, write })));
        }
      }
    }
    return joined;
  }
}

function assertOnce(projection: string, joined: readonly JoinedWrite[], writes: readonly TableWrite[]): void {
  const before = joined.map(({ write }) => write);
  const isTwice = writes.some((write, index) => meetInOneItem([...before, ...writes.slice(0, index)], [write]));
  if (!isTwice) return;
  throw new TableWriteRefusedError(
    `The inline projection "${projection}" writes an item twice for one commit, and DynamoDB takes it once in a transaction: add up context.together, and write when context.recorded is its last. An item that events of two aggregates change in one commit is for a projection that is not inline.`,
  );
}
