import { instantOf } from './instant.js';
import type { CaseFacts, Step } from './permit-events.js';

/** One row of the log: one step of one case. */
export interface LogRow {
  readonly line: number;
  readonly caseId: string;
  readonly user: string;
  readonly facts: CaseFacts;
  readonly step: Step;
  readonly fault?: undefined;
}

/** A row that cannot be imported, and why. */
export interface UnusableRow {
  readonly line: number;
  readonly fault: string;
}

/** The columns of a log, in any order; others may stand between them. */
export const COLUMNS = [
  'case:concept:name',
  'concept:name',
  'org:resource',
  'org:group',
  'time:timestamp',
  'concept:instance',
  'lifecycle:transition',
  'case:channel',
  'case:department',
  'case:group',
  'case:responsible',
  'case:startdate',
  'case:enddate',
  'case:enddate_planned',
  'case:deadline',
] as const;

export type Column = (typeof COLUMNS)[number];

/** @param field gives the row's text in a column */
export function logRow(line: number, field: (column: Column) => string): LogRow | UnusableRow {
  const faults = [
    ...(isBlank(field('case:concept:name')) ? ['case:concept:name (the case) is empty'] : []),
    ...(isBlank(field('concept:name')) ? ['concept:name (the activity) is empty'] : []),
    ...(isBlank(field('org:resource')) ? ['org:resource (the user) is empty'] : []),
    ...(instantOf(field('time:timestamp')) === undefined
      ? ['time:timestamp is no time with its zone, such as 2011-10-11 13:45:40.276000+02:00']
      : []),
  ];
  if (faults.length > 0) return { line, fault: faults.join('; ') };
  return {
    line,
    caseId: field('case:concept:name'),
    user: field('org:resource'),
    facts: {
      channel: field('case:channel'),
      department: field('case:department'),
      group: field('case:group'),
      responsible: field('case:responsible'),
      startDate: field('case:startdate'),
      endDate: field('case:enddate'),
      plannedEndDate: field('case:enddate_planned'),
      deadline: field('case:deadline'),
    },
    step: {
      activity: field('concept:name'),
      taskId: field('concept:instance'),
      transition: field('lifecycle:transition'),
      group: field('org:group'),
      doneAt: field('time:timestamp'),
    },
  };
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}
