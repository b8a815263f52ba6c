import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { dynamoDbEndpoint } from '../scripts/dynamodb-local.js';
import {
  ANY_VERSION,
  EventStore,
  EventStoreModule,
  On,
  Projection,
  Subscriptions,
  type TableNames,
} from '../src/index.js';
import { Measured, METER, writeMeterLog } from '../test/campaigns/query-check/meter-log.js';
import { Random } from '../test/campaigns/random.js';
import { clientFor, createTables } from '../test/campaigns/tables.js';

/**
 * How fast a projection follows, beside plain calls of the SDK in the same run: `npm run bench:follow -- --events 50000`.
 * Prints the ratio of the speeds, the requests of an idle minute, and the time from a commit to its projection.
 */

const SLICES = 4;
const ROUNDS = 3;
/** What the command is to find, on an idle machine. */
const LEAST_RATIO = 0.5;
/** Under a second, and the safety margin of one. */
const LONGEST_WAIT_MS = 2000;
const COMMITS = 40;

/** Does nothing, as reading is what is measured. */
@Projection('bench', { aggregates: [METER] })
class Readings {
  handled = 0;
  onEvent: () => void = () => {};

  @On(Measured) measured(): void {
    this.handled++;
    this.onEvent();
  }
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { events: { type: 'string', default: '50000' } } });
  const events = Number(values.events);
  const database = await dynamoDbEndpoint();
  const client = clientFor(database.endpoint);
  const tables = await createTables(database.endpoint);
  try {
    const log = { events, aggregates: Math.ceil(events / 20), tenantId: undefined };
    await writeMeterLog(client, tables.names.events, log, new Random(1), (done) => progress(done, events, 'written'));
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const bare = events / (await bareLoop(client, tables.names.events, events));
      const own = events / (await catchUp(client, tables.names, events));
      ratios.push(own / bare);
      console.log(
        `round ${round + 1}: plain Query loop ${Math.round(bare)} events/s, projection ${Math.round(own)} events/s`,
      );
    }
    console.log(`catch-up: ${median(ratios).toFixed(2)} of the plain Query loop (median of ${ROUNDS})`);
    const waitMs = await live(client, tables.names, events);
    if (median(ratios) < LEAST_RATIO || waitMs > LONGEST_WAIT_MS) {
      console.error(`Too slow: it is to be ${LEAST_RATIO} at least, and ${LONGEST_WAIT_MS} ms at most.`);
      process.exitCode = 1;
    }
  } finally {
    await tables.drop();
    client.destroy();
    await database.stop();
  }
}

/** Seconds that plain calls need for the same index. */
async function bareLoop(client: DynamoDBClient, TableName: string, events: number): Promise<number> {
  const documents = DynamoDBDocumentClient.from(client);
  const started = performance.now();
  const counts = await Promise.all(
    Array.from({ length: SLICES }, async (_, slice) => {
      let count = 0;
      let ExclusiveStartKey: Record<string, unknown> | undefined;
      do {
        const page = await documents.send(
          new QueryCommand({
            TableName,
            IndexName: 'feed',
            KeyConditionExpression: 'feedSlice = :slice',
            ExpressionAttributeValues: { ':slice': `${METER}#${slice}` },
            ...(ExclusiveStartKey && { ExclusiveStartKey }),
          }),
        );
        count += page.Items!.length;
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey);
      return count;
    }),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total !== events) throw new Error(`The plain loop saw ${total} of ${events} events.`);
  return (performance.now() - started) / 1000;
}

let name = 0;

/** Seconds from the start of a projection without a checkpoint until it has handled all. */
async function catchUp(client: DynamoDBClient, tables: TableNames, events: number): Promise<number> {
  const { application, readings } = await start(client, tables, `bench-${name++}`);
  const started = performance.now();
  await new Promise<void>((resolve) => {
    readings.onEvent = () => readings.handled === events && resolve();
    application.get(Subscriptions).start();
  });
  const seconds = (performance.now() - started) / 1000;
  await application.close();
  return seconds;
}

/** Milliseconds from commit to projection, at the median. */
async function live(client: DynamoDBClient, tables: TableNames, events: number): Promise<number> {
  const { application, readings } = await start(client, tables, 'bench-live');
  const subscriptions = application.get(Subscriptions);
  subscriptions.start();
  while (readings.handled < events) await sleep(50);
  const waits: number[] = [];
  const random = new Random(2);
  for (let commit = 0; commit < COMMITS; commit++) {
    await sleep(random.below(1000));
    const handled = new Promise<void>((resolve) => (readings.onEvent = resolve));
    const stream = { aggregateType: METER, aggregateId: `live-${random.below(5)}` };
    await application.get(EventStore).append(stream, [new Measured(commit, 'kWh')], { expectedVersion: ANY_VERSION });
    const stored = performance.now();
    await handled;
    waits.push(performance.now() - stored);
    progress(commit, COMMITS, 'commits');
  }
  console.log(
    `from commit to projection: median ${Math.round(median(waits))} ms, slowest ${Math.round(Math.max(...waits))} ms`,
  );
  const counted = countRequests(client);
  await sleep(60_000);
  console.log(`idle: ${counted()} requests in a minute, for one projection of one aggregate type`);
  await application.close();
  return median(waits);
}

async function start(
  client: DynamoDBClient,
  tables: TableNames,
  projectionName: string,
): Promise<{ application: INestApplicationContext; readings: Readings }> {
  // Each round begins without a checkpoint, so under a name of its own.
  @Projection(projectionName, { aggregates: [METER] })
  class Named extends Readings {}
  @Module({
    imports: [CqrsModule.forRoot(), EventStoreModule.forRoot({ client, tables, subscriptions: { run: false } })],
    providers: [Named],
  })
  class BenchModule {}
  const application = await NestFactory.createApplicationContext(BenchModule, { logger: ['error'] });
  return { application, readings: application.get(Named) };
}

function countRequests(client: DynamoDBClient): () => number {
  let count = 0;
  client.middlewareStack.add(
    (next) => (args) => {
      count++;
      return next(args);
    },
    { step: 'deserialize', name: 'count', override: true },
  );
  return () => count;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!;
}

let shown = performance.now();

function progress(done: number, total: number, what: string): void {
  if (performance.now() - shown < 3000) return;
  shown = performance.now();
  console.error(`${done} of ${total} ${what}`);
}

await main(process.argv.slice(2));
