import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';
import { campaign } from './campaign.js';
import { startChild } from './child-processes.js';
import { startFaultyProxy, type FaultyProxy } from './faulty-proxy.js';
import { NetworkWeather } from './network-weather.js';
import { Random } from './random.js';
import { depotsOf, ParcelStored, startDepots, streamOf, type Depots } from './repeats/parcels.js';
import type { SenderJob, SenderMessage } from './repeats/sender.js';
import { clientFor, createTables } from './tables.js';

const KILL_AFTER_MS = { least: 300, most: 2_500 };

const DEFAULTS = {
  commands: 10_000,
  /** Each sends all commands. */
  processes: 3,
  /** Commands under way in each process. */
  lanes: 6,
  depots: 40,
  faults: 0.1,
  outages: 0.004,
  deadlineMs: 1_500,
  /** 0 for none. */
  kills: 1_000,
};

export const repeats = campaign({
  about:
    'Several processes send the same commands with idempotency keys, behind a faulty network, and are killed: each command is carried out once, and all hear its result.',
  defaults: DEFAULTS,

  async run(options, { endpoint, seed, progress }) {
    const random = new Random(seed);
    const tables = await createTables(endpoint);
    const { faults, outages, deadlineMs } = options;
    const weather = new NetworkWeather(random.fork(), { faults, outages, outageMs: deadlineMs * 1.5 });
    const proxy = await startFaultyProxy(endpoint, { choose: () => weather.choose(), lateMs: deadlineMs / 2 });
    const client = clientFor(endpoint);
    const depots = await startDepots({ client, tables: tables.names, deadlineMs: 60_000 });
    try {
      const job = { ...options, endpoint: proxy.endpoint, tables: tables.names, from: 0 };
      const repetition = new Repetition(job, options.processes, random, () =>
        progress(repetition.done, options.commands, `commands, ${repetition.kills} kills`),
      );
      await repetition.run(options.kills);
      await proxy.settled();
      const events = await countStored(depots, options, repetition);
      return {
        violations: repetition.violations,
        figures: {
          commands: options.commands,
          acknowledgements: repetition.acknowledgements,
          failures: repetition.failures,
          kills: repetition.kills,
          'faults injected': weather.injected,
          events,
        },
      };
    } finally {
      await depots.close();
      client.destroy();
      await closed(proxy);
      await tables.drop();
    }
  },
});

async function closed(proxy: FaultyProxy): Promise<void> {
  await proxy.settled();
  await proxy.close();
}

/** Processes that send the same commands, and are killed and begin again where they had heard of all before. */
class Repetition {
  readonly violations: string[] = [];
  /** What each command answered; each of its answers must be the same. */
  readonly tokens = new Map<number, string>();
  acknowledgements = 0;
  failures = 0;
  kills = 0;
  private readonly heard: Set<number>[];

  constructor(
    private readonly job: SenderJob,
    private readonly processes: number,
    private readonly random: Random,
    private readonly progress: () => void,
  ) {
    this.heard = Array.from({ length: processes }, () => new Set());
  }

  /** Commands that all processes have heard of. */
  get done(): number {
    return Math.min(...this.heard.map((numbers) => numbers.size));
  }

  async run(kills: number): Promise<void> {
    await Promise.all(
      this.heard.map(async (numbers, process) => {
        const killsHere = Math.ceil(kills / this.processes);
        for (let killed = 0; numbers.size < this.job.commands;) {
          const child = startChild<SenderJob, SenderMessage>(
            'repeats/sender-process.js',
            { ...this.job, from: firstMissing(numbers) },
            (message) => this.hear(process, message),
          );
          const exit = once(child, 'exit');
          if (killed < killsHere) killed += await this.killLater(child, exit);
          const [code, signal] = (await exit) as [number | null, string | null];
          if (code !== 0 && signal !== 'SIGKILL') throw new Error(`A sender ended with ${signal ?? code}.`);
        }
      }),
    );
  }

  private async killLater(child: ChildProcess, exit: Promise<unknown>): Promise<number> {
    // The process starts with the first message that it sends.
    await Promise.race([once(child, 'message'), exit]);
    const { least, most } = KILL_AFTER_MS;
    await Promise.race([sleep(least + this.random.below(most - least)), exit]);
    if (child.exitCode !== null || !child.kill('SIGKILL')) return 0;
    this.kills++;
    return 1;
  }

  private hear(process: number, message: SenderMessage): void {
    const { number, says } = message;
    if (says === 'failed') return void this.failures++;
    if (says === 'violation') {
      this.heard[process]!.add(number);
      return void this.violations.push(`Command ${number} failed for good: ${message.error}`);
    }
    this.acknowledgements++;
    this.heard[process]!.add(number);
    const known = this.tokens.get(number) ?? message.token;
    this.tokens.set(number, known);
    if (known !== message.token) this.violations.push(`Command ${number} answered ${known} and ${message.token}.`);
    this.progress();
  }
}

function firstMissing(numbers: ReadonlySet<number>): number {
  let number = 0;
  while (numbers.has(number)) number++;
  return number;
}

/** Reads all streams: each command is in each of its depots once, with the token that was answered. */
async function countStored(
  { eventStore }: Depots,
  { commands, depots }: { readonly commands: number; readonly depots: number },
  { tokens, violations }: Repetition,
): Promise<number> {
  const stored = new Map<string, string[]>();
  let events = 0;
  for (let depot = 0; depot < depots; depot++) {
    const name = `depot-${depot}`;
    for await (const { event } of eventStore.read(streamOf(name))) {
      const { number, token } = event as ParcelStored;
      const place = `${number} in ${name}`;
      stored.set(place, [...(stored.get(place) ?? []), token]);
      events++;
    }
  }
  let expected = 0;
  for (let number = 0; number < commands; number++) {
    for (const name of depotsOf(number, depots)) {
      expected++;
      const found = stored.get(`${number} in ${name}`) ?? [];
      if (found.length === 1 && found[0] === tokens.get(number)) continue;
      violations.push(
        `Command ${number} is ${found.length} times in ${name}, and answered ${tokens.get(number)}: ${found}`,
      );
    }
  }
  if (events !== expected) violations.push(`There are ${events} events, and should be ${expected}.`);
  return events;
}
