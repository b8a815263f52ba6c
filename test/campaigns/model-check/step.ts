import * as fc from 'fast-check';
import type { Journal, Model, Real } from './world.js';

/** A command of the model check: done to both stores, whose answers must agree with the journals. */
export abstract class Step<Plan extends object> implements fc.AsyncCommand<Model, Real> {
  constructor(protected readonly plan: Plan) {}

  /** What it does, in the figures and in the list of a failure. */
  protected abstract readonly kind: string;
  protected abstract perform(model: Model, real: Real): Promise<void>;

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    model.counts.set(this.kind, (model.counts.get(this.kind) ?? 0) + 1);
    await this.perform(model, real);
  }

  toString(): string {
    return `${this.kind}(${fc.stringify(this.plan)})`;
  }
}

/** Names one of the streams. */
export const slot = fc.nat(4);

export function journalAt({ journals }: Model, index: number): Journal {
  return journals[index % journals.length]!;
}
