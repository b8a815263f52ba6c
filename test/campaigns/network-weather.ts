import { FAULTS, type Fault } from './faulty-proxy.js';
import type { Random } from './random.js';

const SLOW: readonly Fault[] = ['hang-before', 'hang-after', 'late-answer', 'late-request'];
const DOUBLING: readonly Fault[] = ['duplicated', 'duplicated-behind'];
const QUICK = FAULTS.filter((fault) => !SLOW.includes(fault) && fault !== 'access-denied');
const FAILING = QUICK.filter((fault) => !DOUBLING.includes(fault));

/** Slow faults keep a writer waiting for a good part of its deadline, so they are the smaller part. */
const SLOW_SHARE = 0.1;

export interface NetworkWeatherOptions {
  /** Probability that a request meets a fault. */
  readonly faults: number;
  /** How many outages begin for each fault. */
  readonly outages: number;
  /** How long an outage lasts. Longer than the store's deadline, it leaves outcomes unknown. */
  readonly outageMs: number;
}

/** Faults for a proxy: single ones by chance, and now and then an outage, in which no request is answered. */
export class NetworkWeather {
  injected = 0;
  private outageEnds = 0;

  constructor(
    private readonly random: Random,
    private readonly options: NetworkWeatherOptions,
  ) {}

  choose(): Fault | undefined {
    const { faults, outages, outageMs } = this.options;
    const now = performance.now();
    const outage = now < this.outageEnds;
    if (!outage && !this.random.chance(faults)) return undefined;
    if (!outage && this.random.chance(outages)) this.outageEnds = now + outageMs;
    this.injected++;
    if (outage) return this.random.pick(FAILING);
    return this.random.pick(this.random.chance(SLOW_SHARE) ? SLOW : QUICK);
  }
}
