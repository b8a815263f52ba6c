import { setTimeout as delay } from 'node:timers/promises';
import type { Subscriptions } from 'nestjs-dynamodb-event-store';

const ASK_EVERY_MS = 100;

/** A projection has set events aside, or was stopped, so that its view is not complete. */
export class ProjectionStuckError extends Error {
  override readonly name = 'ProjectionStuckError';
}

/**
 * Returns when each projection has handled all that the feed has shown. An event whose commit took longer than `marginMs`
 * shows later than its time, and may still come.
 *
 * @param onLag told how many events are still to handle, by all of them
 * @throws ProjectionStuckError, or the signal's reason
 */
export async function untilCaughtUp(
  subscriptions: Pick<Subscriptions, 'status' | 'wake'>,
  names: readonly string[],
  { onLag = () => {}, signal }: { onLag?: (events: number) => void; signal?: AbortSignal } = {},
): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    // Without this they would look for new events at their own pace, which is soon enough for people.
    subscriptions.wake();
    const all = await Promise.all(names.map((name) => subscriptions.status(name)));
    const stuck = all.find(({ state, parked }) => state !== 'running' || parked > 0);
    if (stuck) {
      throw new ProjectionStuckError(
        `The projection ${stuck.name} will not catch up: it is ${stuck.state}, with ${stuck.parked} events parked.`,
      );
    }
    const lag = all.reduce((sum, status) => sum + status.lag.events, 0);
    onLag(lag);
    if (lag === 0) return;
    await delay(ASK_EVERY_MS, undefined, signal && { signal });
  }
}
