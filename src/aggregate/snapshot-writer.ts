import { Logger } from '@nestjs/common';
import { EventStoreError } from '../event/event-store-error.js';
import type { StreamId } from '../event/stream-id.js';
import type { EventStore } from '../store/event-store.js';
import type { Snapshot } from '../store/snapshot.js';

/** More would mean that snapshots come faster than they can be written; a dropped one is only work not saved. */
const MAX_PENDING = 100;

/** Writes snapshots behind the command's back, as none of them may fail or delay it. */
export class SnapshotWriter {
  private readonly logger = new Logger('EventStore');
  private readonly pending = new Set<Promise<void>>();
  private readonly failing = new Set<string>();

  /** @param wait makes `write` wait for the write, where the process may be frozen afterwards, as on AWS Lambda */
  constructor(
    private readonly store: EventStore,
    private readonly wait: boolean,
  ) {}

  /** Takes a state, or does without: what the aggregate or its policy throws is no reason to fail a command. */
  take<T>(stream: StreamId, take: () => T | undefined): T | undefined {
    try {
      return take();
    } catch (error) {
      this.reportOnce(stream, error);
      return undefined;
    }
  }

  async write(stream: StreamId, snapshot: Snapshot): Promise<void> {
    if (this.pending.size >= MAX_PENDING) return;
    const writing = this.store
      .saveSnapshot(stream, snapshot)
      .then(
        () => void this.failing.delete(stream.aggregateType),
        (error: unknown) => this.reportOnce(stream, error),
      )
      .finally(() => this.pending.delete(writing));
    this.pending.add(writing);
    if (this.wait) await writing;
  }

  /** Waits until no snapshot is being written. */
  async drain(): Promise<void> {
    while (this.pending.size > 0) await Promise.all(this.pending);
  }

  /** Once for each aggregate type, until one succeeds: a role without the right to write them would fill the log. */
  private reportOnce({ aggregateType }: StreamId, error: unknown): void {
    if (this.failing.has(aggregateType)) return;
    this.failing.add(aggregateType);
    // Messages of other errors may quote state.
    const reason =
      error instanceof EventStoreError ? error.message : `It failed with ${String((error as Error)?.name)}.`;
    this.logger.warn(`A snapshot of ${aggregateType} was not written; loads go on without it. ${reason}`);
  }
}
