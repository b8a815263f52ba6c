import { setTimeout as sleep } from 'node:timers/promises';
import { END_OF_TIME, positionAt } from '../store/event-feed.js';
import type { Subscription } from './subscription.js';
import { SubscriptionError } from './subscription-errors.js';
import { progressOf, type RebuildMoment, type RebuildProgress } from './subscription-status.js';

/** Between two looks; the speed is that over so many looks. */
const LOOK_EVERY_MS = 1000;
const MOMENTS = 10;

/** Builds a projection anew beside the live one, and switches over. */
export class Rebuilding {
  private readonly name: string;

  /** @param marginMs how old an event has to be to be read */
  constructor(
    private readonly subscription: Subscription,
    private readonly marginMs: number,
  ) {
    this.name = subscription.plan.name;
  }

  /** @returns the number of the new generation */
  async begin(): Promise<number> {
    const { subscription, name } = this;
    if (!subscription.canBeRebuilt) {
      throw new SubscriptionError(`"${name}" is no projection: subscribe under another name to handle events anew.`);
    }
    const { run } = await subscription.live();
    const startedAt = Date.now();
    const from = positionAt(subscription.plan.from);
    const counts = await Promise.all(run.partitions.map((each) => run.feed.count(each, from, END_OF_TIME)));
    const total = counts.reduce((sum, count) => sum + count, 0);
    let generation = 0;
    await subscription.controls.changeGenerations(({ live, last, rebuild }) => {
      if (rebuild) {
        throw new SubscriptionError(
          `Generation ${rebuild.generation} of "${name}" is being built: end that with switchOver or cancelRebuild.`,
        );
      }
      generation = last + 1;
      return { live, last: generation, rebuild: { generation, startedAt, total } };
    });
    return generation;
  }

  async *progress(): AsyncIterable<RebuildProgress> {
    const moments: RebuildMoment[] = [];
    for (;;) {
      const { run, rebuild, control } = await this.subscription.rebuilt();
      if (control.state === 'stopped') throw stoppedAtEvent(run.generation.name);
      const progress = await progressOf(run, rebuild, this.marginMs, moments[0]);
      moments.push({ at: Date.now(), handled: progress.handled });
      if (moments.length > MOMENTS) moments.shift();
      yield progress;
      if (progress.caughtUp) return;
      await sleep(LOOK_EVERY_MS);
    }
  }

  async switchOver(): Promise<void> {
    const { name, subscription } = this;
    const { run, rebuild, control } = await subscription.rebuilt();
    if (control.state === 'stopped') throw stoppedAtEvent(run.generation.name);
    const { generation, caughtUp } = await progressOf(run, rebuild, this.marginMs);
    if (!caughtUp) {
      const fix = control.state === 'paused' ? `, and is paused: resume('${run.generation.name}')` : ': wait';
      throw new SubscriptionError(`Generation ${generation} of "${name}" has not caught up yet${fix}.`);
    }
    if ((await run.parking.list()).length > 0) {
      throw new SubscriptionError(
        `Generation ${generation} of "${name}" has parked events: retry or discard those of parked('${run.generation.name}').`,
      );
    }
    await subscription.controls.changeGenerations(({ rebuild: latest, ...generations }) => {
      if (latest?.generation !== generation) throw endedMeanwhile(name, generation);
      return { ...generations, live: generation };
    });
  }

  async cancel(): Promise<void> {
    await this.subscription.rebuilt();
    await this.subscription.controls.changeGenerations(({ live, last }) => ({ live, last }));
  }
}

function stoppedAtEvent(name: string): SubscriptionError {
  return new SubscriptionError(`"${name}" has stopped at an event: retry or discard that of parked('${name}').`);
}

function endedMeanwhile(name: string, generation: number): SubscriptionError {
  return new SubscriptionError(`Generation ${generation} of "${name}" is built no longer: its rebuild has ended.`);
}
