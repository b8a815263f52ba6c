import { Injectable } from '@nestjs/common';
import { PermitStatisticsDatabase } from './permit-statistics.database.js';
import { LastStep } from './permit-statistics.tables.js';

/** So many are shown. */
export const CHANGED_CASES = 10;

/** Reads of what the projection `permit-statistics` keeps which cases changed last. It is a second or so behind the events. */
@Injectable()
export class ChangedCases {
  constructor(private readonly database: PermitStatisticsDatabase) {}

  /** The last steps of cases that changed last, the latest first. */
  async last(): Promise<readonly LastStep[]> {
    return this.database.transaction((manager) =>
      manager.find(LastStep, { order: { storedAt: 'DESC', caseId: 'ASC' }, take: CHANGED_CASES }),
    );
  }
}
