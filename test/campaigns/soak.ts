import { readdir } from 'node:fs/promises';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventStoreError } from '../../src/index.js';
import { campaign } from './campaign.js';
import { FAULTS, idleConnections, startFaultyProxy, type Fault } from './faulty-proxy.js';
import { Random } from './random.js';
import { startClocks, Tick, type ClockApplication } from './soak/clock-application.js';
import { grows, trendOf, type Measurement } from './soak/trend.js';
import { clientFor, createTables } from './tables.js';
import { usedHeap } from './used-heap.js';

/** Caches of the SDK, of Nest and of the compiler fill in this part of the time. */
const WARM_UP_SHARE = 0.25;

/**
 * Growth of the heap after the warm-up that is allowed for each command: an entry of a Map and what it holds take more, so
 * that whatever is kept of each command shows. The compiler and the caches of the SDK go on growing for a while, by so much
 * noise however few the commands: a run of 65,000 commands or more is judged by these alone.
 */
const ALLOWED_BYTES_A_COMMAND = 32;
const NOISE_MB = 1.5;

/** Growth of the open descriptors after the warm-up that is taken for noise: of those that wait for no next request. */
const ALLOWED_DESCRIPTORS = 10;

/** Streams in use at a time; one that has grown this long is left, and another begun. */
const STREAMS = 40;
const TICKS_OF_A_STREAM = 200;

const SAMPLES = 120;
const DEADLINE_MS = 2_000;

/** What leaks only where an attempt is given up needs some of these. They hold up few commands, for half the deadline each. */
const SLOW_SHARE = 0.1;
const SLOW: readonly Fault[] = ['hang-before', 'hang-after', 'late-answer', 'late-request'];
const QUICK_FAULTS = FAULTS.filter((fault) => !SLOW.includes(fault) && fault !== 'access-denied');

export const soak = campaign({
  about: 'Steady load for a long time, with some faults: neither the heap nor the open descriptors grow.',
  defaults: { minutes: 30, rate: 100, faults: 0.02 },

  async run({ minutes, rate, faults }, { endpoint, seed, progress }) {
    const random = new Random(seed);
    const tables = await createTables(endpoint);
    // As many connections as the SDK opens by default.
    const connections = new Agent({ keepAlive: true, maxSockets: 50 });
    const client = clientFor(endpoint, { requestHandler: { httpAgent: connections } });
    let slow = 0;
    const choose = () => {
      if (!random.chance(faults)) return undefined;
      if (!random.chance(SLOW_SHARE)) return random.pick(QUICK_FAULTS);
      slow++;
      return random.pick(SLOW);
    };
    const proxy = await startFaultyProxy(endpoint, { choose });
    proxy.route(client);
    const application = await startClocks(client, tables.names, DEADLINE_MS);
    try {
      const lasts = minutes * 60_000;
      const load = new Load(application, random.fork());
      const heap: Measurement[] = [];
      const descriptors: Measurement[] = [];
      const commands: number[] = [];
      const started = performance.now();
      let nextSample = lasts / SAMPLES;
      for (let gone = 0; gone < lasts; gone = performance.now() - started) {
        if (gone >= nextSample) {
          // Only what nobody can free is of interest: nothing is under way while it is measured.
          await load.settle();
          heap.push({ at: gone / 60_000, value: usedHeap() / 2 ** 20 });
          commands.push(load.commands);
          // How many connections wait for the next request says how busy the machine was: each has an end here and one in
          // the proxy.
          const waiting = 2 * idleConnections(connections) + proxy.idleConnections;
          descriptors.push({ at: gone / 60_000, value: (await openDescriptors()) - waiting });
          nextSample += lasts / SAMPLES;
          progress(Math.round(gone / 1000), Math.round(lasts / 1000), `heap ${heap.at(-1)!.value.toFixed(1)} MB`);
        }
        load.start();
        await sleep(1000 / rate);
      }
      await load.settle();

      const warm = <T>(series: readonly T[]) => series.slice(Math.floor(series.length * WARM_UP_SHARE));
      const violations = [...load.untyped].map((name) => `a command failed with ${name}`);
      const commandsMeasured = commands.at(-1)! - warm(commands)[0]!;
      const allowedMb = Math.max(NOISE_MB, (commandsMeasured * ALLOWED_BYTES_A_COMMAND) / 2 ** 20);
      if (grows(warm(heap), allowedMb)) violations.push(`the heap grows: ${shown(heap)} MB`);
      if (grows(warm(descriptors), ALLOWED_DESCRIPTORS)) violations.push(`descriptors grow: ${shown(descriptors)}`);
      const perMinute = trendOf(warm(heap)).slope * 1024;
      const measuredMinutes = heap.at(-1)!.at - warm(heap)[0]!.at;
      return {
        violations,
        figures: {
          minutes,
          commands: load.commands,
          failed: load.failed,
          requests: proxy.requests,
          'slow faults': slow,
          'heap after warm-up MB': warm(heap)[0]!.value.toFixed(1),
          'heap at the end MB': heap.at(-1)!.value.toFixed(1),
          'heap slope KB/minute': perMinute.toFixed(1),
          'heap bytes/command': ((perMinute * 1024 * measuredMinutes) / commandsMeasured).toFixed(1),
          'descriptors after warm-up': warm(descriptors)[0]!.value,
          'descriptors at the end': descriptors.at(-1)!.value,
        },
      };
    } finally {
      await application.close();
      client.destroy();
      await proxy.close();
      await tables.drop();
    }
  },
});

/** Sends commands and reads, a bounded number at a time. */
class Load {
  commands = 0;
  failed = 0;
  readonly untyped = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  private readonly ticks = new Map<string, number>();
  private streams = 0;

  constructor(
    private readonly application: ClockApplication,
    private readonly random: Random,
  ) {
    while (this.ticks.size < STREAMS) this.begin();
  }

  start(): void {
    if (this.running.size >= STREAMS) return;
    const work = this.work().finally(() => this.running.delete(work));
    this.running.add(work);
  }

  async settle(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }

  private async work(): Promise<void> {
    this.commands++;
    const chosen = this.random.sample([...this.ticks.keys()], 1 + this.random.below(3));
    const times = 1 + this.random.below(3);
    for (const clockId of chosen) this.count(clockId, times);
    try {
      await this.application.commands.execute(new Tick(chosen, times));
      if (this.random.chance(0.1)) await this.readBack(chosen[0]!);
    } catch (error) {
      this.failed++;
      if (!(error instanceof EventStoreError)) this.untyped.add(String((error as Error).name));
    }
  }

  private async readBack(clockId: string): Promise<void> {
    for await (const _ of this.application.clocks.history(clockId, { direction: 'backward', limit: 50 }));
    await this.application.clocks.loadAt(clockId, { version: 10 });
  }

  private count(clockId: string, times: number): void {
    const ticks = (this.ticks.get(clockId) ?? 0) + times;
    this.ticks.set(clockId, ticks);
    if (ticks < TICKS_OF_A_STREAM) return;
    this.ticks.delete(clockId);
    this.begin();
  }

  private begin(): void {
    this.ticks.set(`clock-${++this.streams}`, 0);
  }
}

async function openDescriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

function shown(series: readonly Measurement[]): string {
  const step = Math.max(1, Math.floor(series.length / 10));
  return series
    .filter((_, index) => index % step === 0)
    .map(({ value }) => value.toFixed(1))
    .join(', ');
}
