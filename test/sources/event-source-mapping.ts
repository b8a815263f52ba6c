import { setTimeout as sleep } from 'node:timers/promises';
import type { InvocationContext, StreamBatch, StreamBatchResponse } from '../../src/index.js';
import type { Random } from '../campaigns/random.js';
import type { FakeShard, FakeStream } from './fake-stream.js';

/** What goes wrong between a stream and a function, each in one of so many invocations. */
export interface MappingMishaps {
  /** The invocation fails before the function has done anything. */
  readonly unstartedOnceIn: number;
  /** The function has done all, and its answer is lost, so that the batch comes again. */
  readonly unheardOnceIn: number;
  /** There is next to no time. */
  readonly hurriedOnceIn: number;
}

type StreamFunction = (batch: StreamBatch, context: InvocationContext) => Promise<StreamBatchResponse>;

const BATCH = 100;
const IDLE_MS = 2;
const RETRY_MS = 5;
const USUAL_TIME_MS = 60_000;
const HURRIED_TIME_MS = 20;

/**
 * An event source mapping as AWS documents it, from the oldest record on and with `ReportBatchItemFailures`: batches
 * come in the order of their shard, one at a time, those of a shard after all of its parents. Where an invocation fails
 * the whole batch comes again, and where the function names records, the batch from the first of these on (AWS Lambda
 * Developer Guide, "Using AWS Lambda with Amazon DynamoDB"). How far it has come outlives the function.
 */
export class FakeEventSourceMapping {
  private readonly places = new Map<FakeShard, number>();
  private readonly finished = new Set<FakeShard>();
  private ending = new AbortController();
  private over: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly stream: FakeStream,
    private readonly random: Random,
    private readonly mishaps: MappingMishaps,
  ) {}

  /** Whether all that the stream has was handled. */
  get isThrough(): boolean {
    return [...this.stream.all.values()].every(
      (shard) => this.finished.has(shard) || this.places.get(shard) === shard.records.length,
    );
  }

  enable(invoke: StreamFunction): void {
    this.ending = new AbortController();
    this.over = this.follow(invoke, this.ending.signal);
  }

  async disable(): Promise<void> {
    this.ending.abort();
    await this.over;
  }

  private async follow(invoke: StreamFunction, signal: AbortSignal): Promise<void> {
    const reading = new Map<FakeShard, Promise<void>>();
    const mayFollow = (parent: FakeShard) =>
      !reading.has(parent) && (this.finished.has(parent) || !this.stream.all.has(parent.id));
    while (!signal.aborted) {
      for (const shard of this.stream.all.values()) {
        if (reading.has(shard) || this.finished.has(shard) || !shard.parents.every(mayFollow)) continue;
        reading.set(
          shard,
          this.readShard(shard, invoke, signal).finally(() => reading.delete(shard)),
        );
      }
      await sleep(IDLE_MS);
    }
    await Promise.all(reading.values());
  }

  private async readShard(shard: FakeShard, invoke: StreamFunction, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.stream.all.has(shard.id)) {
      const place = Math.max(this.places.get(shard) ?? 0, shard.trimmed);
      const batch = this.stream.isSilent ? [] : shard.recordsFrom(place, BATCH);
      if (batch.length === 0) {
        if (shard.closed && place === shard.records.length) {
          this.finished.add(shard);
          return;
        }
        await sleep(IDLE_MS);
        continue;
      }
      const done = await this.handledOf(batch, invoke);
      this.places.set(shard, place + done);
      if (done < batch.length) await sleep(RETRY_MS);
    }
  }

  /** How many records of a batch count as handled. */
  private async handledOf(Records: StreamBatch['Records'], invoke: StreamFunction): Promise<number> {
    const { unstartedOnceIn, unheardOnceIn, hurriedOnceIn } = this.mishaps;
    const happens = (onceIn: number) => this.random.below(onceIn) === 0;
    if (happens(unstartedOnceIn)) return 0;
    const endsAt = Date.now() + (happens(hurriedOnceIn) ? HURRIED_TIME_MS : USUAL_TIME_MS);
    try {
      // Lambda passes JSON on.
      const batch = JSON.parse(JSON.stringify({ Records })) as StreamBatch;
      const answer = await invoke(batch, { getRemainingTimeInMillis: () => endsAt - Date.now() });
      if (happens(unheardOnceIn)) return 0;
      const failed = answer.batchItemFailures.map(({ itemIdentifier }) =>
        Records.findIndex(({ dynamodb }) => dynamodb!.SequenceNumber === itemIdentifier),
      );
      // An identifier that is no record's makes the whole batch a failure.
      return Math.max(0, Math.min(Records.length, ...failed));
    } catch {
      return 0;
    }
  }
}
