import { campaign } from './campaign.js';
import { BANK_OPERATIONS } from './fault-matrix/bank-operations.js';
import { cellText, pairCell, singleCells, type Cell, type CountedOperation } from './fault-matrix/cell.js';
import { JOINED_OPERATIONS } from './fault-matrix/joined-operations.js';
import { endingText, isTrueOutcome, judge, truthText } from './fault-matrix/judgement.js';
import { Laboratory, type MadeTrial } from './fault-matrix/laboratory.js';
import { QUERY_OPERATIONS } from './fault-matrix/query-operations.js';
import { sideBySide } from './fault-matrix/side-by-side.js';
import { STORE_OPERATIONS } from './fault-matrix/store-operations.js';
import { Random } from './random.js';
import { createTables } from './tables.js';

const OPERATIONS = [...STORE_OPERATIONS, ...BANK_OPERATIONS, ...JOINED_OPERATIONS, ...QUERY_OPERATIONS];

export const faultMatrix = campaign({
  about:
    'Every operation, each of its requests, every fault of a network and a server, and random pairs of faults: what the caller is told must be what the table holds.',
  defaults: {
    /** How many single faults, chosen by the seed; 0 for all. */
    cells: 0,
    pairs: 2000,
    parallel: 16,
    deadlineMs: 1500,
    /** How far beyond its deadline an operation may end, as the machine is busy. */
    marginMs: 700,
  },
  async run({ cells, pairs, parallel, deadlineMs, marginMs }, { endpoint, seed, progress }) {
    const random = new Random(seed);
    const tables = await createTables(endpoint);
    const laboratory = await Laboratory.open({ endpoint, tables: tables.names, deadlineMs, random: random.fork() });
    const figures = {
      cells: 0,
      pairs: 0,
      ok: 0,
      typedErrors: 0,
      unknown: 0,
      unknownSettled: 0,
      conflicts: 0,
      falseSuccesses: 0,
      falseClaims: 0,
      untypedErrors: 0,
      pastDeadline: 0,
      slowestMs: 0,
    };
    const violations: string[] = [];
    const made: { readonly cell: Cell; readonly trial: MadeTrial }[] = [];

    const violate = (cell: Cell, what: string) => violations.push(`${cellText(cell)}: ${what}`);

    async function tryOut(cell: Cell, id: string): Promise<void> {
      const trial = await laboratory.make(cell, id, (operation, milliseconds) => {
        figures.slowestMs = Math.max(figures.slowestMs, Math.round(milliseconds));
        if (milliseconds <= deadlineMs + marginMs) return;
        figures.pastDeadline++;
        violate(cell, `${operation} took ${Math.round(milliseconds)} ms, with a deadline of ${deadlineMs} ms`);
      });
      const verdict = judge(trial.trial, trial.ending, trial.truth);
      if ('broken' in verdict) {
        figures[verdict.broken]++;
        violate(cell, `${endingText(trial.ending)}; ${truthText(trial.trial, trial.truth)}`);
        return;
      }
      figures[verdict.allowed]++;
      if (trial.trial.truth) made.push({ cell, trial });
    }

    /** Once more, when everything late has arrived: nothing may have come that was said not to come. */
    async function lookAgain({ cell, trial: { trial, ending, settled } }: (typeof made)[number]): Promise<void> {
      const truth = await trial.truth!();
      const verdict = judge(trial, ending, truth);
      if ('broken' in verdict) {
        figures[verdict.broken]++;
        violate(cell, `${endingText(ending)}; in the end, ${truthText(trial, truth)}`);
      }
      const inTheEnd = await laboratory.settle(ending);
      if (settled === undefined || inTheEnd === undefined) return;
      if (inTheEnd !== 'undecided') figures.unknownSettled++;
      // Nothing is on its way any more, so that what is there must be seen.
      const right = isTrueOutcome(inTheEnd, truth) && !(inTheEnd === 'undecided' && truth.state === 'applied');
      if (isTrueOutcome(settled, truth) && right) return;
      figures.falseClaims++;
      violate(cell, `outcomeOf said ${settled}, and in the end ${inTheEnd}; ${truthText(trial, truth)}`);
    }

    try {
      const counted: CountedOperation[] = [];
      for (const operation of OPERATIONS) {
        const { trial, ending, truth, requests } = await laboratory.count(operation, `clean-${counted.length}`);
        const verdict = judge(trial, ending, truth);
        const wanted = trial.conflicts ? 'conflicts' : trial.refusedWith ? 'typedErrors' : 'ok';
        if (!('allowed' in verdict && verdict.allowed === wanted)) {
          throw new Error(`${operation.name}, without a fault: ${endingText(ending)}; ${truthText(trial, truth)}`);
        }
        if (requests < (operation.leastRequests ?? 1)) throw new Error(`${operation.name} made ${requests} requests.`);
        counted.push({ operation, requests });
      }

      const all = singleCells(counted);
      const singles = cells === 0 ? all : random.sample(all, cells);
      const choosing = random.fork();
      const doubles = Array.from({ length: pairs }, () => pairCell(counted, choosing));
      const chosen = [...singles, ...doubles];
      figures.cells = singles.length;
      figures.pairs = doubles.length;
      let done = 0;
      await sideBySide(chosen, parallel, async (cell, index) => {
        await tryOut(cell, `cell-${index}`);
        progress(++done, chosen.length, `${violations.length} violations`);
      });

      await laboratory.settled();
      await sideBySide(made, parallel, lookAgain);
      return { figures, violations };
    } finally {
      await laboratory.close();
      await tables.drop();
    }
  },
});
