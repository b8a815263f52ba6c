import { Logger, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { afterAll, afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  ANY_VERSION,
  createStreamHandler,
  DynamoDbEventStore,
  EventRegistry,
  EventStoreModule,
  EventType,
  On,
  Projection,
  provisionTables,
  Subscriptions,
  type ProjectionContext,
  type StreamHandler,
  type TableNames,
} from '../../src/index.js';
import { startApplication, type Application } from '../setup/application.js';
import { Account } from '../setup/bank.js';
import { newClient, newTableNames } from '../setup/database.js';
import { Eavesdropper } from '../setup/eavesdropper.js';
import { asLambdaHasIt, recordsOf } from '../setup/stream-records.js';
import { until } from '../setup/until.js';

/** Stands for what nobody may read in a log. */
const SECRET = 'cAnArY';

@EventType('quiet-projections.Kept')
class Kept {
  constructor(readonly secret: string) {}
}

/** Fails with all that it has been given. */
@Projection('leaky', { aggregates: ['vault'], attempts: 2 })
class Leaky {
  @On(Kept) kept({ secret }: Kept, { recorded, transaction }: ProjectionContext): void {
    transaction.put({ TableName: 'views', Item: { id: secret } });
    throw Object.assign(new TypeError(`This was ${secret}.`), { recorded });
  }
}

let eavesdropper: Eavesdropper;
const client = newClient();
let tables: TableNames;
const open: (Application | StreamHandler)[] = [];

beforeEach(async () => {
  tables = newTableNames();
  await provisionTables(client, tables);
  const registry = new EventRegistry().register(Kept);
  const store = new DynamoDbEventStore({ deadlineMs: 10_000, client, tables, registry });
  for (const aggregateId of ['a', 'b']) {
    const events = [new Kept(SECRET), new Kept(SECRET)];
    await store.append({ aggregateType: 'vault', aggregateId }, events, { expectedVersion: ANY_VERSION });
  }
  eavesdropper = new Eavesdropper();
  eavesdropper.start();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  eavesdropper.stop();
  Logger.overrideLogger(['log', 'error', 'warn']);
});

afterAll(() => client.destroy());

it.each(['feed', 'lambda'])('says nothing of an event whose handler fails, nor of its error, by %s', async (source) => {
  let subscriptions: Subscriptions;
  if (source === 'feed') {
    const application = await startApplication('dynamodb', {
      features: [Account],
      providers: [Leaky],
      options: { client, tables, subscriptions: { marginMs: 5, pollMs: 10 } },
    });
    open.push(application);
    Logger.overrideLogger(eavesdropper);
    subscriptions = application.module.get(Subscriptions);
  } else {
    @Module({
      imports: [CqrsModule.forRoot(), EventStoreModule.forRoot({ client, tables })],
      providers: [Leaky],
    })
    class Root {}
    const handler = createStreamHandler(Root, { logger: eavesdropper });
    open.push(handler);
    await handler({ Records: (await recordsOf(client, tables.events)).map(asLambdaHasIt) });
    const operator = await startApplication('dynamodb', {
      features: [Account],
      providers: [Leaky],
      options: { client, tables, subscriptions: { run: false } },
    });
    open.push(operator);
    subscriptions = operator.module.get(Subscriptions);
  }
  await until(async () => (await subscriptions.parked('leaky')).length === 2);
  expect((await subscriptions.parked('leaky'))[0]!.error.message).toContain(SECRET);
  expect(eavesdropper.heard.join('\n')).toContain('parked version 1');
  expect(eavesdropper.heard.filter((said) => said.includes(SECRET))).toEqual([]);
});
