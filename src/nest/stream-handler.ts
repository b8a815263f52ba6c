import { Logger, type DynamicModule, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { eventOfRecord, type StreamRecord } from '../dynamodb/stream-record.js';
import type { PushedEvent } from '../subscription/pushed-events.js';
import { SubscriptionError } from '../subscription/subscription-errors.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { PushedEventsModule } from './pushed-events.module.js';

/** What Lambda gives to the function of an event source mapping on the stream of the events table. */
export interface StreamBatch {
  readonly Records: readonly StreamRecord[];
}

/** Tells Lambda from which record on the batch is to come again; nothing of it when the list is empty. */
export interface StreamBatchResponse {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

/** What is used of the context of an invocation. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}

/** As `NestFactory.createApplicationContext` takes them, such as `logger`. */
export type StreamHandlerOptions = Omit<
  NonNullable<Parameters<typeof NestFactory.createApplicationContext>[1]>,
  'abortOnError'
>;

export interface StreamHandler {
  (batch: StreamBatch, context?: InvocationContext): Promise<StreamBatchResponse>;
  /** Closes the application, for tests; the next invocation boots it anew. */
  close(): Promise<void>;
}

/** Left of an invocation's time for storing how far it has come, and answering. */
const TO_ANSWER_MS = 1000;
/** What is used of a time that is too short for that. */
const AT_LEAST_USED = 0.7;
/** The longest that Lambda lets a function run (AWS Lambda Developer Guide, "Lambda quotas"). */
const LONGEST_INVOCATION_MS = 15 * 60_000;

/**
 * A Lambda function that brings the events of a DynamoDB stream to the projections of an application, in place of the
 * polling that the same module does elsewhere.
 *
 * The first invocation boots the application, without polling; those that follow share it. Each event is handled in the
 * order of its aggregate, and different aggregates side by side. A handler that fails is tried again as its projection
 * says, and then the event is parked. What could not be handled in time, or where the subscription is paused or
 * stopped, is reported by the sequence number of the first such record, from which on Lambda brings the batch again:
 * the event source mapping has to have `ReportBatchItemFailures`.
 *
 * @param module the root module of the application, with `EventStoreModule` in it
 * @throws SubscriptionError by the function, when it is called with anything else
 */
export function createStreamHandler(module: Type | DynamicModule, options: StreamHandlerOptions = {}): StreamHandler {
  let booting: Promise<INestApplicationContext> | undefined;
  const boot = () => {
    const root = { module: PushedEventsModule, imports: [module] };
    // A process that ends at a failure to boot would hide it from Lambda.
    const booted = NestFactory.createApplicationContext(root, { ...options, abortOnError: false });
    booted.catch(() => (booting = undefined));
    return booted;
  };
  const handle = async (batch: StreamBatch, context?: InvocationContext): Promise<StreamBatchResponse> => {
    if (!Array.isArray(batch?.Records) || !batch.Records.every((record) => record?.dynamodb)) {
      throw new SubscriptionError(
        'The function was called without the Records of a DynamoDB stream: it is for an event source mapping on the stream of the events table. To try it by hand, give it { Records: [] }.',
      );
    }
    const endsAt = endOf(context);
    booting ??= boot();
    const subscriptions = (await booting).get(Subscriptions, { strict: false });
    const { events, damaged } = eventsOf(batch.Records);
    const again = await subscriptions.push([...events.values()], endsAt);
    const failed = batch.Records.find((record) => damaged.has(record) || again.has(events.get(record)!));
    return { batchItemFailures: failed ? [{ itemIdentifier: failed.dynamodb!.SequenceNumber! }] : [] };
  };
  const close = async () => {
    const application = booting;
    booting = undefined;
    await (await application)?.close();
  };
  return Object.assign(handle, { close });
}

function endOf(context: InvocationContext | undefined): number {
  const remaining = context?.getRemainingTimeInMillis() ?? LONGEST_INVOCATION_MS;
  return Date.now() + Math.max(remaining - TO_ANSWER_MS, remaining * AT_LEAST_USED);
}

/** Damaged records are to come again, until somebody has looked at them or the mapping gives them up. */
function eventsOf(records: readonly StreamRecord[]) {
  const events = new Map<StreamRecord, PushedEvent>();
  const damaged = new Set<StreamRecord>();
  for (const record of records) {
    try {
      const event = eventOfRecord(record);
      if (event) events.set(record, event);
    } catch (error) {
      new Logger('EventStore').error(`${record.dynamodb?.SequenceNumber}: ${(error as Error).message}`);
      damaged.add(record);
    }
  }
  return { events, damaged };
}
