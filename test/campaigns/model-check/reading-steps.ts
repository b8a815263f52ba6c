import * as fc from 'fast-check';
import type { RecordedEvent, ReadRange } from '../../../src/index.js';
import { inTenant, type LedgerApplication } from './application.js';
import { assertEqual, DisagreementError, outcomeOf } from './outcome.js';
import { assertRecorded } from './recorded.js';
import { journalAt, slot, Step } from './step.js';
import { foldOf, type Journal, type Model, type Real } from './world.js';
import { loadBoth } from './writing-steps.js';

/** Calls for each store, with its name for messages. */
export async function forBoth(
  model: Model,
  real: Real,
  run: (name: string, application: LedgerApplication) => Promise<void>,
): Promise<void> {
  await run('memory', model.memory);
  await run('DynamoDB', real.application);
}

export async function all(events: AsyncIterable<RecordedEvent>): Promise<RecordedEvent[]> {
  const collected: RecordedEvent[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}

interface ReadPlan {
  readonly slot: number;
  readonly range: ReadRange;
}

class ReadStep extends Step<ReadPlan> {
  protected readonly kind = 'read';

  protected async perform(model: Model, real: Real): Promise<void> {
    const { range } = this.plan;
    const journal = journalAt(model, this.plan.slot);
    const versions = versionsIn(range, journal.entries.length);
    await forBoth(model, real, async (name, { store }) => {
      assertRecorded(name, await all(store.read(journal.stream, range)), journal, versions);
    });
  }
}

function versionsIn({ fromVersion = 1, toVersion = Infinity, direction, limit = Infinity }: ReadRange, head: number) {
  const versions = Array.from({ length: head }, (_, index) => index + 1).filter(
    (version) => version >= fromVersion && version <= toVersion,
  );
  return (direction === 'backward' ? versions.toReversed() : versions).slice(0, limit);
}

interface LoadPlan {
  readonly slot: number;
  /** Keep it, for a later step to save when it may be stale. */
  readonly hold: boolean;
}

class LoadStep extends Step<LoadPlan> {
  protected readonly kind = 'load';

  protected async perform(model: Model, real: Real): Promise<void> {
    const journal = journalAt(model, this.plan.slot);
    const loaded = await loadBoth(model, real, journal);
    if (this.plan.hold) journal.held = loaded;
  }
}

class ExistsStep extends Step<{ readonly slot: number }> {
  protected readonly kind = 'exists';

  protected async perform(model: Model, real: Real): Promise<void> {
    const { stream, entries } = journalAt(model, this.plan.slot);
    await forBoth(model, real, async (name, application) => {
      const repository = application.repositoryOf(stream.aggregateType);
      const exists = await inTenant(stream, () => repository.exists(stream.aggregateId));
      assertEqual(`${name}: whether it exists`, exists, entries.length > 0);
    });
  }
}

interface PastPlan {
  readonly slot: number;
  readonly version: number;
  readonly by: 'version' | 'time';
}

class LoadAtStep extends Step<PastPlan> {
  protected readonly kind = `load at a ${this.plan.by}`;

  protected async perform(model: Model, real: Real): Promise<void> {
    const journal = journalAt(model, this.plan.slot);
    const { stream, entries } = journal;
    const version = this.plan.version % (entries.length + 2);
    await forBoth(model, real, async (name, application) => {
      const repository = application.repositoryOf(stream.aggregateType);
      const moment = this.plan.by === 'version' ? { version } : { time: await timeOf(application, journal, version) };
      const outcome = await outcomeOf(() => inTenant(stream, () => repository.loadAt(stream.aggregateId, moment)));
      const then = Math.min(version, entries.length);
      if (outcome.error) {
        assertEqual(`${name}: the code of ${outcome.error.class}`, outcome.error.code, 'AGGREGATE_NOT_FOUND');
        assertEqual(`${name}: the version that is not found`, then, 0);
      } else {
        assertEqual(`${name}: the version then`, outcome.value.version, then);
        assertEqual(`${name}: the state then`, outcome.value.state, foldOf(journal, then));
      }
    });
  }
}

/** When a version was stored; beyond the last, later than that. */
async function timeOf({ store }: LedgerApplication, { stream, entries }: Journal, version: number): Promise<Date> {
  if (version === 0) return new Date(0);
  if (version > entries.length) return new Date(8.64e15);
  const [recorded] = await all(store.read(stream, { fromVersion: version, toVersion: version }));
  if (!recorded) throw new DisagreementError(`Version ${version} is not there.`);
  return recorded.eventTime;
}

class HistoryStep extends Step<{ readonly slot: number }> {
  protected readonly kind = 'history';

  protected async perform(model: Model, real: Real): Promise<void> {
    const journal = journalAt(model, this.plan.slot);
    const { stream, entries } = journal;
    await forBoth(model, real, async (name, application) => {
      const repository = application.repositoryOf(stream.aggregateType);
      const recorded = await all(inTenant(stream, () => repository.history(stream.aggregateId)));
      assertRecorded(name, recorded, journal, versionsIn({}, entries.length));
    });
  }
}

const bound = fc.option(fc.nat(12), { nil: undefined });

export const readStep = fc
  .record({ slot, from: bound, to: bound, limit: bound, backward: fc.boolean() })
  .map(({ slot: index, from, to, limit, backward }) => {
    const range: ReadRange = {
      ...(from !== undefined && { fromVersion: from }),
      ...(to !== undefined && { toVersion: to }),
      ...(limit !== undefined && { limit }),
      direction: backward ? 'backward' : 'forward',
    };
    return new ReadStep({ slot: index, range });
  });

export const loadStep = fc.record({ slot, hold: fc.boolean() }).map((plan) => new LoadStep(plan));

export const existsStep = fc.record({ slot }).map((plan) => new ExistsStep(plan));

export const loadAtStep = fc
  .record({ slot, version: fc.nat(20), by: fc.constantFrom('version' as const, 'time' as const) })
  .map((plan) => new LoadAtStep(plan));

export const historyStep = fc.record({ slot }).map((plan) => new HistoryStep(plan));
