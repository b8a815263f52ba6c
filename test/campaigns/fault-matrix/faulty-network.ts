import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { startFaultyProxy, type Fault, type FaultyProxy, type ProxiedRequest } from '../faulty-proxy.js';
import { LATENESS, type Cell, type Lateness } from './cell.js';

/** Tells the proxies whose request it is. */
const TRIAL_HEADER = 'x-trial';

/** Proxies that give the requests of each trial the faults of its cell. */
export class FaultyNetwork {
  private readonly proxies = new Map<Lateness, FaultyProxy>();
  private readonly trials = new Map<string, { readonly cell: Cell; requests: number }>();

  private constructor() {}

  static async start(endpoint: string, deadlineMs: number): Promise<FaultyNetwork> {
    const network = new FaultyNetwork();
    const choose = (request: ProxiedRequest) => network.choose(request);
    for (const lateness of LATENESS) {
      network.proxies.set(lateness, await startFaultyProxy(endpoint, { choose, lateMs: lateness * deadlineMs }));
    }
    return network;
  }

  /** From now on, the requests of this client are those of the trial. */
  connect(client: DynamoDBClient, trial: string, cell: Cell): void {
    this.trials.set(trial, { cell, requests: 0 });
    this.proxies.get(cell.lateness)!.route(client, { [TRIAL_HEADER]: trial });
  }

  requestsOf(trial: string): number {
    return this.trials.get(trial)!.requests;
  }

  /** Waits until all that is on its way has arrived. */
  async settled(): Promise<void> {
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.settled()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.close()));
  }

  private choose({ headers }: ProxiedRequest): Fault | undefined {
    const trial = this.trials.get(String(headers[TRIAL_HEADER]))!;
    return trial.cell.faults.get(++trial.requests);
  }
}
