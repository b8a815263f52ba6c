import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import { EventStore, getAggregateRepositoryToken, type AggregateRepository } from '../../src/index.js';
import { campaign, type Outcome } from './campaign.js';
import { Random } from './random.js';
import { clientFor, createTables } from './tables.js';
import { Account, AccountsModule } from './torture/accounts.js';
import { readStored } from './torture/stored-commands.js';
import { outcomeVerdict, verdict } from './torture/verdict.js';
import { runWriters, type Ending, type WriterOrders, type WriterResult } from './torture/writers.js';
import type { WriterMessage } from './torture/writer-process.js';

export const torture = campaign({
  about: 'Many writers on few aggregates: each acknowledged command is stored exactly once, counted one by one.',
  defaults: { commands: 100_000, processes: 4, writers: 8, accounts: 200, hot: 0.2, faults: 0, conflictRetries: 3 },

  async run(options, { endpoint, seed, progress }): Promise<Outcome> {
    const { commands, processes } = options;
    const random = new Random(seed);
    const tables = await createTables(endpoint);
    const endings: Ending[] = [];
    const started = performance.now();
    const results = await Promise.all(
      Array.from({ length: processes }, (_, index) => {
        const orders: WriterOrders = {
          ...options,
          endpoint,
          tables: tables.names,
          name: `p${index}`,
          seed: random.below(2 ** 31),
          commands: Math.floor((commands + index) / processes),
        };
        const tell = (ending: Ending) => {
          endings.push(ending);
          progress(endings.length, commands);
        };
        return processes === 1 ? runWriters(orders, tell) : inProcess(orders, tell);
      }),
    );
    const seconds = (performance.now() - started) / 1000;

    const client = clientFor(endpoint);
    const root = AccountsModule.on({ client, tables: tables.names });
    const application = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
    const store = application.get(EventStore, { strict: false });
    const repository = application.get<AggregateRepository<Account>>(getAggregateRepositoryToken(Account), {
      strict: false,
    });
    const ids = Array.from({ length: options.accounts }, (_, index) => `account-${index}`);
    const stored = await readStored(store, repository, ids);

    const violations = [...stored.violations];
    const counts = { acknowledged: 0, refused: 0, unknown: 0, untyped: 0 };
    let unknownButStored = 0;
    const known = new Set<string>();
    for (const ending of endings) {
      const { key, said, commit } = ending;
      counts[said]++;
      if (known.has(key)) violations.push(`${key} ended twice`);
      known.add(key);
      const found = stored.commands.get(key);
      const violation = verdict(ending, found);
      if (violation) violations.push(violation);
      if (!commit) continue;
      if (found) unknownButStored++;
      const disagreement = outcomeVerdict(key, await store.outcomeOf(commit), found !== undefined);
      if (disagreement) violations.push(disagreement);
    }
    if (endings.length !== commands) violations.push(`${endings.length} of ${commands} commands ended`);
    for (const key of stored.commands.keys()) if (!known.has(key)) violations.push(`${key} came from nowhere`);

    await application.close();
    client.destroy();
    await tables.drop();
    return {
      violations,
      figures: {
        commands: endings.length,
        processes,
        ...counts,
        'unknown but stored': unknownButStored,
        events: stored.events,
        streams: stored.streams,
        faults: results.reduce((sum, { faults }) => sum + faults, 0),
        'commands per second': Math.round(endings.length / seconds),
      },
    };
  },
});

/** Writers in a process of their own. The program is the compiled one, as a process cannot run TypeScript. */
async function inProcess(orders: WriterOrders, tell: (ending: Ending) => void): Promise<WriterResult> {
  const here = fileURLToPath(import.meta.url);
  const program = here.endsWith('.ts')
    ? here.replace(/test\/campaigns\/torture\.ts$/, '.build/test/campaigns/torture/writer-process.js')
    : here.replace(/torture\.js$/, 'torture/writer-process.js');
  const child = fork(program, { execArgv: ['--no-warnings'] });
  const ended = once(child, 'exit');
  let result: WriterResult | undefined;
  child.on('message', (message: WriterMessage) => {
    if ('result' in message) ({ result } = message);
    else for (const ending of message.endings) tell(ending);
  });
  child.send(orders);
  await ended;
  if (!result) throw new Error(`The process of writers ${orders.name} ended early.`);
  return result;
}
