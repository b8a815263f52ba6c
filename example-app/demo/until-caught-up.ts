import { setTimeout as delay } from 'node:timers/promises';
import type { Subscriptions } from 'nestjs-dynamodb-event-store';

const ASK_EVERY_MS = 100;

/**
 * Returns when each projection has handled all that is stored.
 *
 * @param onLag told how many events are still to handle, by all of them
 * @throws Error when one has set events aside, as its view is then not complete; the signal's reason
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
    if (stuck)
      throw new Error(`The projection ${stuck.name} is ${stuck.state}, and has parked ${stuck.parked} events.`);
    const lag = all.reduce((sum, status) => sum + status.lag.events, 0);
    onLag(lag);
    if (lag === 0) return;
    await delay(ASK_EVERY_MS, undefined, signal && { signal });
  }
}
