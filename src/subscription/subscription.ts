import type { StoredEvent } from '../store/stored-event.js';
import { isOutage } from './backoff.js';
import { Controls, type Control, type ControlsSeen, type Rebuild } from './controls.js';
import { thrownName } from './thrown.js';
import type { EventHandler } from './event-handler.js';
import { generationOf, type Generation } from './generation.js';
import type { Membership } from './membership.js';
import type { PushedEvent } from './pushed-events.js';
import { SubscriptionError } from './subscription-errors.js';
import { SubscriptionRun, type SubscriptionParts, type SubscriptionPlan } from './subscription-run.js';

/** Handles the events of one generation of a projection. */
export type GenerationHandler = (generation: Generation) => EventHandler;

/** A generation, and what operators have said of it. */
export interface Controlled {
  readonly run: SubscriptionRun;
  readonly control: Control;
}

/** One subscription in this process: its live generation, and one that may be built beside it. */
export class Subscription {
  readonly controls: Controls;
  private readonly runs = new Map<number, SubscriptionRun>();
  private isToGoOn = false;

  /** @param handler of each generation, where there can be several */
  constructor(
    readonly plan: SubscriptionPlan,
    private readonly handler: EventHandler | GenerationHandler,
    private readonly parts: Omit<SubscriptionParts, 'controls'>,
  ) {
    this.controls = new Controls(parts.bookkeeping, plan.name);
  }

  get canBeRebuilt(): boolean {
    return typeof this.handler === 'function';
  }

  /** @param seen just now, where that is known */
  async live(seen?: ControlsSeen): Promise<Controlled> {
    const controls = seen ?? (await this.controls.seen());
    return this.controlled(controls.generations.live, controls);
  }

  /** A generation by its number. @throws SubscriptionError when it is neither the live one nor built beside that */
  async generation(number: number): Promise<Controlled> {
    const seen = await this.controls.seen();
    const { live, rebuild } = seen.generations;
    if (number === live || number === rebuild?.generation) return this.controlled(number, seen);
    throw this.noOther(`generation ${number}`, live);
  }

  /** The generation that is built beside the live one. @throws SubscriptionError when there is none */
  async rebuilt(): Promise<Controlled & { readonly rebuild: Rebuild }> {
    const seen = await this.controls.seen();
    const { live, rebuild } = seen.generations;
    if (!rebuild) throw this.noOther('other generation', live);
    return { ...this.controlled(rebuild.generation, seen), rebuild };
  }

  /** Goes on with the next tick where it had stopped at an event, which comes again then. A pause stays. */
  goOn(): void {
    this.isToGoOn = true;
  }

  /** Works at the generations that there are, and ends those that there were. */
  async tick(membership: Membership): Promise<void> {
    if (this.isToGoOn) await this.endStop();
    const seen = await this.controls.seen();
    const { live, rebuild } = seen.generations;
    const wanted = rebuild ? [live, rebuild.generation] : [live];
    for (const [generation, run] of this.runs) {
      if (wanted.includes(generation)) continue;
      if (run.isIdle) this.runs.delete(generation);
      else run.endAll();
    }
    for (const generation of wanted) {
      const { run, control } = this.controlled(generation, seen);
      await run.tick(membership, control);
    }
  }

  /**
   * Handles events that were brought to this process, those that are this subscription's.
   *
   * @returns those that have to be brought again
   */
  async push(events: readonly PushedEvent[], endsAt: number): Promise<readonly PushedEvent[]> {
    const own = events.filter(({ stream }) => this.plan.aggregateTypes.includes(stream.aggregateType));
    if (own.length === 0) return own;
    try {
      const { run, control } = await this.live();
      return control.state === 'running' ? await run.push(own, endsAt) : own;
    } catch (error) {
      if (!isOutage(error)) this.parts.report(`${this.plan.name}: a batch was not handled: ${thrownName(error)}`);
      return own;
    }
  }

  offer(events: readonly StoredEvent[]): void {
    for (const run of this.runs.values()) run.offer(events);
  }

  wake(): void {
    for (const run of this.runs.values()) run.wake();
  }

  endAll(): void {
    for (const run of this.runs.values()) run.endAll();
  }

  async end(): Promise<void> {
    await Promise.all([...this.runs.values()].map((run) => run.end()));
  }

  private async endStop(): Promise<void> {
    const { run, control } = await this.live();
    if (control.state === 'stopped') {
      for (const entry of await run.parking.list()) {
        const { poison, requested } = entry.parked;
        // One that is to be left out is passed over when it comes again.
        if (poison === 'stop-subscription' && !requested) await run.parking.remove(entry);
      }
      await this.controls.change(run.generation.generation, (latest) =>
        latest.state === 'stopped' ? { ...latest, state: 'running' } : latest,
      );
    }
    this.isToGoOn = false;
  }

  private noOther(what: string, live: number): SubscriptionError {
    const { name } = this.plan;
    return new SubscriptionError(
      `No ${what} of "${name}" is there: its live one is ${live}. Begin with rebuild('${name}').`,
    );
  }

  private controlled(generation: number, seen: ControlsSeen): Controlled {
    const known = this.runs.get(generation);
    if (known) return { run: known, control: seen.of(generation) };
    const named = generationOf(this.plan.name, generation);
    const handler = typeof this.handler === 'function' ? this.handler(named) : this.handler;
    const run = new SubscriptionRun(this.plan, named, handler, { ...this.parts, controls: this.controls });
    this.runs.set(generation, run);
    return { run, control: seen.of(generation) };
  }
}
