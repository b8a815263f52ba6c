import { copyInstance } from '../event/plain-copy.js';
import type { EntryWrite, ProjectOutcome, StreamPosition } from '../store/bookkeeping.js';
import { InMemoryBookkeeping } from '../store/in-memory-bookkeeping.js';
import { TableWriteRefusedError, type TableWrite } from '../store/table-write.js';
import { MAX_WRITES, meetInOneItem } from '../subscription/projection-transaction.js';
import { assertItemValues } from './item-values.js';

/** What a projection wrote in one transaction. */
export interface ProjectedWrites {
  /**
   * The name under which it keeps how far it has come: that of the projection, with `~2` for its second generation, and with
   * `#` and the version for a skipped event that was retried.
   */
  readonly projection: string;
  readonly writes: readonly TableWrite[];
}

/**
 * The in-memory bookkeeping, for tests: it takes what projections write by `context.transaction`, once, and records it.
 * There are no tables behind it, so that a condition of a write always holds.
 */
export class BookkeepingDouble extends InMemoryBookkeeping {
  private readonly recorded: ProjectedWrites[] = [];

  /** The transactions stored so far, oldest first. */
  get projected(): readonly ProjectedWrites[] {
    return this.recorded;
  }

  override async project(
    positions: readonly StreamPosition[],
    writes: readonly TableWrite[],
    entry?: EntryWrite,
  ): Promise<ProjectOutcome> {
    assertOneTransaction(positions.length, writes);
    for (const write of writes) assertItemValues(write);
    // Copies, as the projection may go on with what it handed over.
    const copies = writes.map((write) => copyInstance(write));
    const outcome = await super.project(positions, [], entry);
    if (outcome.kind === 'stored' && writes.length > 0)
      this.recorded.push({ projection: positions[0]!.projection, writes: copies });
    return outcome;
  }
}

/** What DynamoDB refuses of any transaction, as far as it shows without a table. */
function assertOneTransaction(positions: number, writes: readonly TableWrite[]): void {
  if (positions + writes.length > MAX_WRITES) {
    throw new TableWriteRefusedError(
      `A projection added ${writes.length} writes, and DynamoDB takes ${MAX_WRITES} in a transaction, its position among them.`,
    );
  }
  if (writes.some((write, index) => meetInOneItem([write], writes.slice(index + 1)))) {
    throw new TableWriteRefusedError(
      'A projection wrote one item twice for one event, and DynamoDB takes it once in a transaction: put both into one write.',
    );
  }
}
