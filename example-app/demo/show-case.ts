import type { AggregateRepository, RecordedEvent } from 'nestjs-dynamodb-event-store';
import { instantOf } from '../permit-office/instant.js';
import type { PermitCase } from '../permit-office/permit-case.js';
import type { CaseReceived, StepDone } from '../permit-office/permit-events.js';
import { textTable } from './text-table.js';

type StepEvent = RecordedEvent<CaseReceived | StepDone>;

/** The history of a case as a table, and the case as it was half way through. */
export async function showCase(cases: AggregateRepository<PermitCase>, caseId: string): Promise<string> {
  const history: StepEvent[] = [];
  for await (const recorded of cases.history(caseId)) history.push(recorded as StepEvent);
  const table = textTable(
    ['version', 'when', 'who', 'group', 'what'],
    history.map(({ version, metadata, event: { step } }) => [
      String(version),
      step.doneAt,
      metadata.userId ?? '',
      step.group,
      step.activity,
    ]),
  );

  const moment = history[Math.floor((history.length - 1) / 2)]!.event.step.doneAt;
  const version = versionAt(history, moment);
  const then = await cases.loadAt(caseId, { version });
  return `The longest case is ${caseId}, with ${history.length} events:

${table}

As of ${moment} it was at version ${version}:
  last step    ${then.lastStep?.activity}, at ${then.lastStep?.doneAt}
  received by  ${then.facts?.channel}
  department   ${then.facts?.department}
  responsible  ${then.facts?.responsible}`;
}

/**
 * The version of a case at a moment of its own time, when the steps were done. (`loadAt` with a time goes by the time
 * at which the events were stored, which for an imported log is today.)
 */
function versionAt(history: readonly StepEvent[], moment: string): number {
  const instant = instantOf(moment)!;
  const later = history.find(({ event }) => instantOf(event.step.doneAt)! > instant);
  return later ? later.version - 1 : history.length;
}
