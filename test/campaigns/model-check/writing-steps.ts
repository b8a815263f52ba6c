import * as fc from 'fast-check';
import {
  ANY_VERSION,
  NO_STREAM,
  type CommitResult,
  type ExpectedVersion,
  type StreamAppend,
} from '../../../src/index.js';
import { inTenant, RecordInLedgers, type LedgerApplication } from './application.js';
import { anyEvent, eventFrom, goodEvent, newLedger, type EventPlan, type Ledger } from './ledger.js';
import { assertCommitOutcome, assertEqual, outcomeOf, type Part, type Refusal } from './outcome.js';
import { journalAt, slot, Step } from './step.js';
import { foldOf, type Held, type Journal, type JournalEntry, type Model, type Real } from './world.js';

type Metadata = Readonly<Record<string, string>>;

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 });

const metadata: fc.Arbitrary<Metadata> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.record(
      { userId: text, correlationId: text, custom: text },
      { requiredKeys: [], noNullPrototype: true },
    ),
  },
);

/** How the expected version is meant. */
const expectation = fc.oneof(
  { weight: 40, arbitrary: fc.constant('head' as const) },
  { weight: 15, arbitrary: fc.constantFrom('any' as const, 'none' as const) },
  { weight: 10, arbitrary: fc.constantFrom('behind' as const, 'ahead' as const) },
  { weight: 1, arbitrary: fc.constant('nonsense' as const) },
);

type Expectation = typeof expectation extends fc.Arbitrary<infer E> ? E : never;

function expectedVersion(meant: Expectation, head: number): ExpectedVersion {
  switch (meant) {
    case 'head':
      return head;
    case 'any':
      return ANY_VERSION;
    case 'none':
      return NO_STREAM;
    case 'behind':
      return Math.max(0, head - 1);
    case 'ahead':
      return head + 1;
    case 'nonsense':
      return -1.5;
  }
}

interface PartPlan {
  readonly slot: number;
  readonly expected: Expectation;
  readonly events: readonly EventPlan[];
}

interface CommitPlan {
  readonly parts: readonly PartPlan[];
  readonly metadata: Metadata;
  /** One given by the caller, perhaps for the second time. */
  readonly commitId: string | undefined;
}

const MAX_EVENTS = 100;

/** Events of one or several streams through the store itself. */
class CommitStep extends Step<CommitPlan> {
  protected readonly kind = this.plan.parts.length === 1 ? 'append' : 'commit';

  protected async perform(model: Model, real: Real): Promise<void> {
    const { parts: plans, metadata: values, commitId } = this.plan;
    const parts = plans.map(({ slot: index, expected, events }) => {
      const { stream, entries } = journalAt(model, index);
      const head = entries.length;
      return { stream, head, expected: expectedVersion(expected, head), events: events.length };
    });
    const commit = ({ store }: LedgerApplication): Promise<CommitResult> => {
      const appends: StreamAppend[] = parts.map(({ stream, expected }, index) => ({
        stream,
        expectedVersion: expected,
        events: plans[index]!.events.map(eventFrom),
      }));
      const [only] = appends;
      return commitId === undefined && appends.length === 1
        ? store.append(only!.stream, only!.events, { expectedVersion: only!.expectedVersion, metadata: values })
        : store.commit({ appends, metadata: values, ...(commitId !== undefined && { commitId }) });
    };
    const refusal = refusalOf(plans, parts);
    const memory = assertCommitOutcome('memory', await outcomeOf(() => commit(model.memory)), parts, refusal);
    const stored = assertCommitOutcome('DynamoDB', await outcomeOf(() => commit(real.application)), parts, refusal);
    assertEqual('DynamoDB: whether it is stored', stored, memory);
    if (!stored) return;
    for (const { slot: index, events } of plans) {
      journalAt(model, index).entries.push(...entriesOf(events, values, false));
    }
  }
}

function refusalOf(plans: readonly PartPlan[], parts: readonly Part[]): Refusal | undefined {
  const names = parts.map(({ stream }) => JSON.stringify(stream));
  if (new Set(names).size < names.length || parts.some(({ expected }) => expected === -1.5)) return 'INVALID_COMMIT';
  const events = plans.flatMap((plan) => plan.events);
  if (events.length > MAX_EVENTS) return 'COMMIT_TOO_LARGE';
  return events.some(({ kind }) => kind === 'unstorable') ? 'UNSERIALIZABLE_EVENT' : undefined;
}

function entriesOf(plans: readonly EventPlan[], values: Metadata, byCommand: boolean): JournalEntry[] {
  return plans.map((plan) => ({ plan, metadata: values, byCommand }));
}

interface SavePlan {
  readonly slot: number;
  /** The aggregate that an earlier step left, which may be stale by now; or one just loaded; or a new one. */
  readonly from: 'held' | 'loaded' | 'new';
  readonly events: readonly EventPlan[];
  readonly metadata: Metadata;
}

/** Events through an aggregate and its repository. */
class SaveStep extends Step<SavePlan> {
  protected readonly kind = `save ${this.plan.from}`;

  protected async perform(model: Model, real: Real): Promise<void> {
    const { events, metadata: values } = this.plan;
    const journal = journalAt(model, this.plan.slot);
    const held = await this.aggregate(model, real, journal);
    journal.held = held;
    for (const plan of events) {
      held.memory.apply(eventFrom(plan));
      held.real.apply(eventFrom(plan));
    }
    held.pending.push(...entriesOf(events, values, false));
    const { stream, entries } = journal;
    const part = { stream, head: entries.length, expected: held.version, events: held.pending.length };
    const save = (application: LedgerApplication, aggregate: Ledger) =>
      outcomeOf(() => inTenant(stream, () => application.repositoryOf(stream.aggregateType).save(aggregate), values));
    const memory = assertCommitOutcome('memory', await save(model.memory, held.memory), [part]);
    const stored = assertCommitOutcome('DynamoDB', await save(real.application, held.real), [part]);
    assertEqual('DynamoDB: whether it is stored', stored, memory);
    if (stored) {
      entries.push(...held.pending.map((entry) => ({ ...entry, metadata: values })));
      held.version += held.pending.length;
      held.pending = [];
    }
    assertEqual('memory: the version of the aggregate', held.memory.version, held.version);
    assertEqual('DynamoDB: the version of the aggregate', held.real.version, held.version);
  }

  private async aggregate(model: Model, real: Real, journal: Journal): Promise<Held> {
    if (this.plan.from === 'held' && journal.held) return journal.held;
    const loaded = this.plan.from === 'new' ? undefined : await loadBoth(model, real, journal);
    const { stream } = journal;
    return loaded ?? { memory: newLedger(stream), real: newLedger(stream), version: 0, pending: [] };
  }
}

/** The aggregate as both repositories load it, after checking that it is what its events make of it. */
export async function loadBoth(model: Model, real: Real, journal: Journal): Promise<Held | undefined> {
  const memory = await loadOne('memory', model.memory, journal);
  const loaded = await loadOne('DynamoDB', real.application, journal);
  if (!memory || !loaded) return undefined;
  return { memory, real: loaded, version: journal.entries.length, pending: [] };
}

async function loadOne(name: string, application: LedgerApplication, journal: Journal): Promise<Ledger | null> {
  const { stream, entries } = journal;
  const ledger = await inTenant(stream, () => application.repositoryOf(stream.aggregateType).find(stream.aggregateId));
  assertEqual(`${name}: the version loaded`, ledger?.version, entries.length === 0 ? undefined : entries.length);
  if (ledger) assertEqual(`${name}: the state loaded`, ledger.state, foldOf(journal));
  return ledger;
}

interface CommandPlan {
  readonly entries: readonly { readonly slot: number; readonly events: readonly EventPlan[] }[];
  readonly fails: boolean;
  readonly metadata: Metadata;
}

/** Events of several aggregates through the command bus, in one unit of work. */
class CommandStep extends Step<CommandPlan> {
  protected readonly kind = 'command';

  protected async perform(model: Model, real: Real): Promise<void> {
    const { entries: plans, fails, metadata: values } = this.plan;
    const entries = plans.map(({ slot: index, events }) => ({ stream: journalAt(model, index).stream, events }));
    const execute = ({ commands }: LedgerApplication) =>
      outcomeOf<void>(() =>
        inTenant(
          { aggregateType: '', aggregateId: '' },
          () => commands.execute(new RecordInLedgers(entries, fails)),
          values,
        ),
      );
    const refusal = fails ? 'HANDLER_FAILED' : undefined;
    const memory = assertCommitOutcome('memory', await execute(model.memory), [], refusal);
    const stored = assertCommitOutcome('DynamoDB', await execute(real.application), [], refusal);
    assertEqual('DynamoDB: whether it is stored', stored, memory);
    if (!stored) return;
    for (const { slot: index, events } of plans)
      journalAt(model, index).entries.push(...entriesOf(events, values, true));
  }
}

const events = fc.array(anyEvent, { minLength: 1, maxLength: 5 });
const goodEvents = fc.array(goodEvent, { minLength: 1, maxLength: 5 });

const commitId = fc.option(fc.constantFrom('commit-1', 'commit-2'), { nil: undefined, freq: 6 });

export const appendStep = fc
  .record({
    parts: fc.tuple(fc.record({ slot, expected: expectation, events })),
    metadata,
    commitId,
  })
  .map((plan) => new CommitStep(plan));

export const commitStep = fc
  .record({
    parts: fc.array(fc.record({ slot, expected: expectation, events: fc.array(anyEvent, { maxLength: 4 }) }), {
      minLength: 2,
      maxLength: 4,
    }),
    metadata,
    commitId,
  })
  .map((plan) => new CommitStep(plan));

/** As many events as a commit can have, or more. */
export const largeCommitStep = fc
  .record({ slot, expected: expectation, count: fc.constantFrom(MAX_EVENTS, MAX_EVENTS + 1), event: goodEvent })
  .map(({ slot: index, expected, count, event }) => {
    const part = { slot: index, expected, events: Array.from({ length: count }, () => event) };
    return new CommitStep({ parts: [part], metadata: {}, commitId: undefined });
  });

export const saveStep = fc
  .record({
    slot,
    from: fc.constantFrom('held' as const, 'held' as const, 'loaded' as const, 'new' as const),
    events: fc.oneof({ weight: 9, arbitrary: goodEvents }, { weight: 1, arbitrary: fc.constant([]) }),
    metadata,
  })
  .map((plan) => new SaveStep(plan));

export const commandStep = fc
  .record({
    entries: fc.array(fc.record({ slot, events: fc.array(goodEvent, { maxLength: 4 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
    fails: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    metadata,
  })
  .map((plan) => new CommandStep(plan));
