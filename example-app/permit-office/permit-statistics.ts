import { Injectable } from '@nestjs/common';
import { PermitStatisticsDatabase } from './permit-statistics.database.js';
import { LastStep, StepCount, UserCount } from './permit-statistics.tables.js';

export interface PermitStatisticsShown {
  readonly cases: number;
  /** The most frequent first. */
  readonly steps: readonly StepCount[];
  /** The busiest first. */
  readonly users: readonly UserCount[];
}

/** Reads what the projection `permit-statistics` keeps. It is a second or so behind the events. */
@Injectable()
export class PermitStatistics {
  constructor(private readonly database: PermitStatisticsDatabase) {}

  async all(): Promise<PermitStatisticsShown> {
    return this.database.transaction(async (manager) => ({
      cases: await manager.count(LastStep),
      steps: await manager.find(StepCount, { order: { times: 'DESC', step: 'ASC' } }),
      users: await manager.find(UserCount, { order: { times: 'DESC', user: 'ASC' } }),
    }));
  }
}
