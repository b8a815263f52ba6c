import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { streamName } from '../event/stream-id.js';
import type { ParkedEvent } from '../subscription/parking.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { EventStoreDouble } from './event-store-double.js';
import { ScenarioFailedError } from './scenario-failed-error.js';

export interface UntilProjectedOptions {
  /** How long to wait at most; in milliseconds, default 4,000, which is less than Jest and Vitest give a test. */
  readonly timeoutMs?: number;
}

const LOOK_EVERY_MS = 5;

/**
 * Waits until every projection of an application with `EventStoreTestingModule` has handled all that is stored, also what
 * projections have set in motion and awaited. Loops over `eventStore.subscribe` count like projections.
 *
 * @throws ScenarioFailedError as soon as a projection has parked an event, or is behind and paused; or after the timeout
 */
export async function untilProjected(
  application: Pick<INestApplicationContext, 'get'>,
  { timeoutMs = 4000 }: UntilProjectedOptions = {},
): Promise<void> {
  const subscriptions = application.get(Subscriptions, { strict: false });
  const store = application.get(EventStoreDouble, { strict: false });
  const end = performance.now() + timeoutMs;
  for (;;) {
    const { eventCount } = store;
    const behind = await projectionsBehind(subscriptions);
    // Otherwise one that was looked at early may be behind again.
    if (behind.length === 0 && store.eventCount === eventCount) return;
    if (performance.now() >= end) {
      throw new ScenarioFailedError(
        `After ${timeoutMs} ms there is still something to do for projections. An event is tried several times before it is parked, which can take longer.\n${behind.join('\n')}`,
      );
    }
    subscriptions.wake();
    await sleep(LOOK_EVERY_MS);
  }
}

/** A line for each that has something to do. @throws ScenarioFailedError for one that waits for an operator */
async function projectionsBehind(subscriptions: Subscriptions): Promise<readonly string[]> {
  const behind: string[] = [];
  const stuck: string[] = [];
  for (const name of subscriptions.names) {
    // A loop that pulls events may end at any time.
    const isThere = () => subscriptions.names.includes(name);
    if (!isThere()) continue;
    const { lag, state } = await subscriptions.status(name);
    // After the status: an event that was parked meanwhile is not behind any more.
    const parked = isThere() ? await subscriptions.parked(name) : [];
    const line = `${name}: ${lag.events} event${lag.events === 1 ? '' : 's'} behind`;
    stuck.push(...parked.filter(({ requested }) => !requested).map((event) => parkedLine(event)));
    if (lag.events > 0 && state === 'paused') stuck.push(`${line}, and paused`);
    else if (lag.events > 0) behind.push(line);
    behind.push(...parked.filter(({ requested }) => requested).map((event) => parkedLine(event)));
  }
  if (stuck.length === 0) return behind;
  throw new ScenarioFailedError(`Projections will not catch up:\n${stuck.join('\n')}`);
}

function parkedLine({ subscription, stream, version, eventType, attempts, error, requested }: ParkedEvent): string {
  const place = `version ${version} of ${streamName(stream)} (${eventType})`;
  const tried = `after ${attempts} attempt${attempts === 1 ? '' : 's'}: ${error.name}: ${error.message}`;
  return `${subscription}: ${place} is parked${requested ? `, with ${requested} requested,` : ''} ${tried}`;
}
