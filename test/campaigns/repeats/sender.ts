import { EventStoreError, TableError, type TableNames } from '../../../src/index.js';
import { clientFor } from '../tables.js';
import { startDepots } from './parcels.js';

/** Sends each command from `from` on, until it is acknowledged. Other processes send the same ones. */
export interface SenderJob {
  readonly endpoint: string;
  readonly tables: TableNames;
  readonly from: number;
  readonly commands: number;
  readonly lanes: number;
  readonly depots: number;
  readonly deadlineMs: number;
}

export type SenderMessage =
  | { readonly says: 'acknowledged'; readonly number: number; readonly token: string }
  | { readonly says: 'failed'; readonly number: number; readonly error: string }
  | { readonly says: 'violation'; readonly number: number; readonly error: string };

/** They pass; the command is then sent again. */
const PASSING = new Set(['CONCURRENCY', 'EVENT_STORE_UNAVAILABLE', 'COMMIT_OUTCOME_UNKNOWN']);

export async function runSender(job: SenderJob, say: (message: SenderMessage) => void): Promise<void> {
  const { commands, lanes, depots } = job;
  const client = clientFor(job.endpoint);
  const application = await startDepots({ ...job, client }).catch((error: unknown) => {
    // The check of the tables met a fault.
    if (error instanceof TableError) return undefined;
    throw error;
  });
  if (!application) return say({ says: 'failed', number: job.from, error: 'did not start' });
  let next = job.from;
  const lane = async () => {
    while (next < commands) {
      const number = next++;
      for (;;) {
        try {
          say({ says: 'acknowledged', number, token: await application.send(number, depots) });
          break;
        } catch (error) {
          const passes = error instanceof EventStoreError && PASSING.has(error.code);
          say({ says: passes ? 'failed' : 'violation', number, error: String(error) });
          if (!passes) break;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await application.close();
  client.destroy();
}
