import { Injectable, type OnModuleInit } from '@nestjs/common';
import { On, Projection, Subscriptions, type ProjectionContext } from 'nestjs-dynamodb-event-store';
import { CaseReceived, StepDone, type Step } from './permit-events.js';
import { PermitStatisticsDatabase } from './permit-statistics.database.js';
import { LastStep, StepCount, UserCount } from './permit-statistics.tables.js';

/**
 * Counts steps, by step and by user, and keeps the last step of each case, in a database that is not DynamoDB. There an
 * event comes at least once. So that it counts once, the version of that last step is stored in the same transaction as
 * the counts.
 */
@Injectable()
@Projection('permit-statistics')
export class PermitStatisticsProjection implements OnModuleInit {
  constructor(
    private readonly database: PermitStatisticsDatabase,
    private readonly subscriptions: Subscriptions,
  ) {}

  /**
   * This database is in memory and begins empty, so each start counts all events anew, before the event store begins to
   * read them. A database on a server outlives the process and serves several: it goes on where it was, without this.
   */
  async onModuleInit(): Promise<void> {
    await this.subscriptions.reset('permit-statistics', new Date(0));
  }

  @On(CaseReceived) async received({ step }: CaseReceived, context: ProjectionContext): Promise<void> {
    await this.count(step, context);
  }

  @On(StepDone) async done({ step }: StepDone, context: ProjectionContext): Promise<void> {
    await this.count(step, context);
  }

  private async count({ activity }: Step, { recorded }: ProjectionContext): Promise<void> {
    const { stream, version, eventTime, metadata } = recorded;
    const caseId = stream.aggregateId;
    const storedAt = eventTime.toISOString();
    const user = metadata.userId ?? 'unknown';
    await this.database.transaction(async (manager) => {
      const last = await manager.findOneBy(LastStep, { caseId });
      if (last && version <= last.version) return;
      await manager.save(LastStep, { caseId, version, step: activity, user, storedAt });
      const step = await manager.findOneBy(StepCount, { step: activity });
      await manager.save(StepCount, { step: activity, times: (step?.times ?? 0) + 1 });
      const byUser = await manager.findOneBy(UserCount, { user });
      await manager.save(UserCount, { user, times: (byUser?.times ?? 0) + 1 });
    });
  }
}
