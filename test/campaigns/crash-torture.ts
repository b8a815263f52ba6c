import { setTimeout as sleep } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { campaign, type Outcome, type Stage } from './campaign.js';
import { DatabaseOnDisk } from './crash-torture/database-on-disk.js';
import { Journal } from './crash-torture/journal.js';
import { LedgerModule } from './crash-torture/ledger.js';
import { checkStates, sealLedgers } from './crash-torture/ledger-states.js';
import { storedLedgers } from './crash-torture/stored-ledgers.js';
import { judge } from './crash-torture/verdict.js';
import { WriterProcess } from './crash-torture/writer-process.js';
import { Random } from './random.js';
import { clientFor, createTables, type CampaignTables } from './tables.js';

const KILL_AFTER_MS = { least: 20, most: 400 };

/** After so many kills, writers go on to new ledgers, so that streams stay short. */
const KILLS_FOR_LEDGERS = 15;
const LEDGERS_OF_EACH_KIND = 3;

/** Short ones end while the database is away; long ones outlast that. */
const DEADLINES_MS = [1_000, 10_000];

const DEFAULTS = {
  kills: 1000,
  writers: 3,
  /** Commands in flight in each writer. */
  lanes: 4,
  /** Each such kill is one of DynamoDB Local; 0 for none. There is none where the endpoint is that of AWS. */
  databaseKillEvery: 20,
};

export const crashTorture = campaign({
  about:
    'Kills processes that send commands with -9, and now and then DynamoDB Local; then nothing acknowledged is missing, and nothing is doubled.',
  defaults: DEFAULTS,

  async run(options, stage) {
    const local = stage.endpoint.startsWith('http:') && options.databaseKillEvery > 0;
    const database = local ? await DatabaseOnDisk.start() : undefined;
    const endpoint = database?.endpoint ?? stage.endpoint;
    const tables = await createTables(endpoint);
    try {
      const torture = new CrashTorture(options, { ...stage, endpoint }, tables, database);
      await torture.run();
      return await torture.outcome();
    } finally {
      await tables.drop();
      await database?.stop();
    }
  },
});

class CrashTorture {
  private readonly journal = new Journal();
  private readonly random: Random;
  private readonly violations: string[] = [];
  private kills = 0;
  private killsOfDatabase = 0;
  private failedStarts = 0;
  private started = 0;

  constructor(
    private readonly options: typeof DEFAULTS,
    private readonly stage: Stage,
    private readonly tables: CampaignTables,
    private readonly database: DatabaseOnDisk | undefined,
  ) {
    this.random = new Random(stage.seed);
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.options.writers }, () => this.keepKilling(this.random.fork())));
  }

  /** Keeps one writer at work, and kills it, or the database under it, again and again. */
  private async keepKilling(random: Random): Promise<void> {
    let { writer, name } = await this.startWriter(random);
    while (this.kills < this.options.kills) {
      this.kills++;
      this.stage.progress(this.kills, this.options.kills, `${this.journal.commands.size} commands`);
      if (this.database && this.kills % this.options.databaseKillEvery === 0) {
        this.killsOfDatabase++;
        await this.database.kill();
        continue;
      }
      await sleep(KILL_AFTER_MS.least + random.below(KILL_AFTER_MS.most - KILL_AFTER_MS.least));
      if (!writer.isRunning) this.violations.push(`Writer ${name} ${writer.failure ?? 'ended by itself'}`);
      await writer.kill();
      this.journal.close(name);
      ({ writer, name } = await this.startWriter(random));
    }
    await writer.finish();
    if (writer.failure) this.violations.push(`Writer ${name} ${writer.failure}`);
    this.journal.close(name);
  }

  private async startWriter(random: Random): Promise<{ writer: WriterProcess; name: string }> {
    for (;;) {
      await this.database?.up;
      const from = performance.now();
      const name = `w${this.started++}`;
      const generation = Math.floor(this.kills / KILLS_FOR_LEDGERS);
      const ledgers = Array.from({ length: LEDGERS_OF_EACH_KIND }, (_, index) => `${generation}-${index}`);
      const orders = {
        endpoint: this.stage.endpoint,
        tables: this.tables.names,
        name,
        seed: random.below(2 ** 31),
        lanes: this.options.lanes,
        deadlineMs: random.pick(DEADLINES_MS),
        ledgers,
        opened: [...this.journal.opened].filter((stream) => ledgers.includes(stream.split('/')[1]!)),
      };
      const writer = new WriterProcess(orders, (message) => this.journal.record(message));
      await writer.atWork;
      if (writer.isRunning) return { writer, name };
      // The database may be killed while a writer starts.
      this.journal.close(name);
      this.failedStarts++;
      await this.database?.up;
      const outage = this.database?.outages.some(({ to }) => to > from);
      if (!outage) throw new Error(`Writer ${name} did not start: it ${writer.failure}`);
    }
  }

  async outcome(): Promise<Outcome> {
    const { names } = this.tables;
    const { endpoint } = this.stage;
    const sent = [...this.journal.commands.values()];
    const touched = new Set(sent.flatMap(({ expected }) => Object.keys(expected)));
    const client = clientFor(endpoint);
    const app = await NestFactory.createApplicationContext(LedgerModule.on({ tables: names, client }), {
      logger: false,
    });
    try {
      const unsealed = await sealLedgers(app, touched);
      const { streams, snapshots } = await storedLedgers(client, names.events);
      const { shaken, violations, ...verdict } = judge(sent, streams, this.database?.outages ?? []);
      const problems = [...unsealed, ...(await checkStates(app, streams))];
      const unexplained = problems.filter(({ stream }) => !shaken.has(stream));
      const ended = (outcome: string) => sent.filter((command) => command.outcome === outcome).length;
      return {
        figures: {
          kills: this.kills - this.killsOfDatabase,
          databaseKills: this.killsOfDatabase,
          failedStarts: this.failedStarts,
          commands: sent.length,
          acknowledged: ended('acknowledged'),
          refused: ended('refused'),
          unknown: sent.filter(({ settled, outcome }) => settled || outcome === 'unknown').length,
          unheard: ended('unheard'),
          ...verdict,
          streams: streams.size,
          snapshots,
          shakenStreams: shaken.size,
        },
        violations: [
          ...this.violations,
          ...violations,
          ...unexplained.map(({ stream, problem }) => `${stream}: ${problem}`),
        ],
      };
    } finally {
      await app.close();
      client.destroy();
    }
  }
}
