import * as fc from 'fast-check';
import type { Snapshot } from '../../../src/index.js';
import { inTenant } from './application.js';
import { DAMAGES, damageSnapshot } from './damage.js';
import { snapshotVersionOf } from './ledger.js';
import { assertEqual, DisagreementError } from './outcome.js';
import { collectEvents } from '../../setup/collect.js';
import { all, forBoth } from './reading-steps.js';
import { assertRecorded } from './recorded.js';
import { journalAt, slot, Step } from './step.js';
import type { Journal, Model, Real } from './world.js';

interface SnapshotPlan {
  readonly slot: number;
  /** How far back from the last version. */
  readonly behind: number;
}

/** A right snapshot by hand, perhaps older than the one that is there. */
class SaveSnapshotStep extends Step<SnapshotPlan> {
  protected readonly kind = 'save a snapshot';

  protected async perform(model: Model, real: Real): Promise<void> {
    const { stream, entries } = journalAt(model, this.plan.slot);
    const version = entries.length - (this.plan.behind % (entries.length + 1));
    if (version === 0) return;
    await forBoth(model, real, async (_, application) => {
      const { store, registry } = application;
      const repository = application.repositoryOf(stream.aggregateType);
      const { state } = await inTenant(stream, () => repository.loadAt(stream.aggregateId, { version }));
      const [recorded] = await all(store.read(stream, { fromVersion: version, toVersion: version }));
      const snapshot: Snapshot = {
        version,
        eventTime: recorded!.eventTime.getTime(),
        snapshotVersion: snapshotVersionOf(stream),
        state: registry.codec.encodeTree({ state: { state } }, 'A snapshot by hand'),
      };
      await store.saveSnapshot(stream, snapshot);
    });
  }
}

interface SincePlan {
  readonly slot: number;
  readonly tail: number;
}

/** What a load gets: the newest snapshot and the events after it. */
class SinceSnapshotStep extends Step<SincePlan> {
  protected readonly kind = 'read since the snapshot';

  protected async perform(model: Model, real: Real): Promise<void> {
    await assertSinceSnapshot(model, real, journalAt(model, this.plan.slot), this.plan.tail);
  }
}

export async function assertSinceSnapshot(model: Model, real: Real, journal: Journal, tail: number): Promise<void> {
  const { stream, entries, spoilt } = journal;
  if (spoilt) return;
  const head = entries.length;
  const versions: number[] = [];
  await forBoth(model, real, async (name, { store }) => {
    const { snapshot, events, allEvents } = await store.readSinceSnapshot(stream, tail);
    const version = snapshot?.version ?? 0;
    versions.push(version);
    if (version > head) throw new DisagreementError(`${name}: the snapshot is of version ${version}, of ${head}.`);
    const upTo = (from: number) => Array.from({ length: head - from }, (_, index) => from + index + 1);
    assertRecorded(`${name}, since the snapshot`, await collectEvents(events), journal, upTo(version));
    const recorded = await collectEvents(allEvents);
    assertRecorded(`${name}, without the snapshot`, recorded, journal, upTo(0));
    if (!snapshot) return;
    const eventTime = recorded[version - 1]?.eventTime.getTime();
    assertEqual(`${name}: the time of the snapshot`, snapshot.eventTime, eventTime);
  });
  // A state that travelled with an event is found when that event is fetched.
  if (tail >= head) assertEqual('DynamoDB: the version of the snapshot', versions[1], versions[0]);
}

interface DamagePlan {
  readonly slot: number;
  readonly damage: keyof typeof DAMAGES;
}

/** Spoils the snapshot in DynamoDB: what is loaded stays right. */
class DamageStep extends Step<DamagePlan> {
  protected readonly kind = 'damage';

  protected async perform(model: Model, real: Real): Promise<void> {
    const turned = model.journals.map((_, index) => journalAt(model, this.plan.slot + index));
    const [journal, other = journal] = turned.filter(({ entries }) => entries.length > 0);
    if (!journal || !other || !(await damageSnapshot(real, journal, other, this.plan.damage))) return;
    journal.spoilt = true;
    model.counts.set('damaged', (model.counts.get('damaged') ?? 0) + 1);
  }
}

/** Everything but the tables is new. */
class RestartStep extends Step<object> {
  protected readonly kind = 'restart';

  protected async perform(model: Model, real: Real): Promise<void> {
    for (const journal of model.journals) journal.held = undefined;
    await real.restart();
  }
}

export const saveSnapshotStep = fc.record({ slot, behind: fc.nat(6) }).map((plan) => new SaveSnapshotStep(plan));

export const sinceSnapshotStep = fc.record({ slot, tail: fc.nat(12) }).map((plan) => new SinceSnapshotStep(plan));

export const damageStep = fc
  .record({ slot, damage: fc.constantFrom(...(Object.keys(DAMAGES) as (keyof typeof DAMAGES)[])) })
  .map((plan) => new DamageStep(plan));

export const restartStep = fc.constant({}).map((plan) => new RestartStep(plan));
