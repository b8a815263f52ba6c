import * as fc from 'fast-check';
import { campaign } from './campaign.js';
import { checkInLanes, type Lane } from './lanes.js';
import { startLedgers } from './model-check/application.js';
import { all, existsStep, historyStep, loadAtStep, loadStep, readStep } from './model-check/reading-steps.js';
import { assertRecorded, assertSameCommits } from './model-check/recorded.js';
import {
  assertSinceSnapshot,
  damageStep,
  restartStep,
  saveSnapshotStep,
  sinceSnapshotStep,
} from './model-check/snapshot-steps.js';
import { newJournals, Real, type Model } from './model-check/world.js';
import {
  appendStep,
  commandStep,
  commitStep,
  largeCommitStep,
  loadBoth,
  saveStep,
} from './model-check/writing-steps.js';
import { createTables } from './tables.js';

type Steps = Iterable<fc.AsyncCommand<Model, Real>>;

/** A step's chance beside the others. */
const STEPS = [
  { weight: 120, arbitrary: appendStep },
  { weight: 60, arbitrary: commitStep },
  { weight: 100, arbitrary: saveStep },
  { weight: 60, arbitrary: commandStep },
  { weight: 80, arbitrary: loadStep },
  { weight: 60, arbitrary: readStep },
  { weight: 30, arbitrary: saveSnapshotStep },
  { weight: 30, arbitrary: sinceSnapshotStep },
  { weight: 80, arbitrary: damageStep },
  { weight: 20, arbitrary: existsStep },
  { weight: 30, arbitrary: loadAtStep },
  { weight: 20, arbitrary: historyStep },
  { weight: 7, arbitrary: restartStep },
  { weight: 1, arbitrary: largeCommitStep },
];

export const modelCheck = campaign({
  about:
    'Runs random commands against the store in memory and the store in DynamoDB, and expects the same of both. A failure is had again with its --seed, --path and --replayPath.',
  defaults: { runs: 20_000, commandsPerRun: 16, lanes: 6, path: '', replayPath: '' },

  async run({ runs, commandsPerRun, lanes, path, replayPath }, { endpoint, seed, progress }) {
    const tables = await createTables(endpoint);
    const counts = new Map<string, number>();
    const runId = Date.now().toString(36);
    let started = 0;

    const open = async (lane: number): Promise<Lane<Steps>> => {
      const memory = await startLedgers({ storage: 'memory' });
      const real = await Real.start(endpoint, tables.names);
      return {
        arbitrary: fc.commands([fc.oneof(...STEPS)], {
          maxCommands: commandsPerRun,
          size: 'max',
          ...(replayPath !== '' && { replayPath }),
        }),
        judge: async (steps) => {
          const since = Date.now();
          const model: Model = { journals: newJournals(`${runId}-${lane}-${started++}`), memory, counts };
          await fc.asyncModelRun(() => ({ model, real }), steps);
          await assertSameEnd(model, real, since);
          progress(Math.min(started, runs), runs);
        },
        describe: (steps) => `--commandsPerRun ${commandsPerRun} [${String(steps)}]`,
        close: async () => {
          await real.close();
          await memory.close();
        },
      };
    };

    try {
      const violations = await checkInLanes({ lanes, runs, seed, path }, open);
      const { damaged = 0, restart = 0, ...kinds } = Object.fromEntries(counts);
      const commands = Object.entries(kinds).filter(([kind]) => kind !== 'damage');
      return {
        figures: {
          runs: started,
          commands: commands.reduce((sum, [, count]) => sum + count, restart + (kinds.damage ?? 0)),
          ...Object.fromEntries(commands.toSorted(([one], [other]) => one.localeCompare(other))),
          'snapshots damaged': damaged,
          restarts: restart,
        },
        violations,
      };
    } finally {
      await tables.drop();
    }
  },
});

/** Both stores hold the events of the journals, and load what those make. */
async function assertSameEnd(model: Model, real: Real, since: number): Promise<void> {
  for (const journal of model.journals) {
    const { stream, entries } = journal;
    const versions = entries.map((_, index) => index + 1);
    const memory = await all(model.memory.store.read(stream));
    const stored = await all(real.application.store.read(stream));
    assertRecorded('memory, at the end', memory, journal, versions);
    assertRecorded('DynamoDB, at the end', stored, journal, versions);
    assertSameCommits(memory, stored, since);
    if (entries.length === 0) continue;
    await loadBoth(model, real, journal);
    await assertSinceSnapshot(model, real, journal, versions.length);
  }
}
