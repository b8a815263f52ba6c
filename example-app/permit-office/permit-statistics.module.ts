import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ChangedCases } from './changed-cases.js';
import { ChangedCasesController } from './changed-cases.controller.js';
import { PermitStatisticsController } from './permit-statistics.controller.js';
import { PermitStatisticsDatabase } from './permit-statistics.database.js';
import { PermitStatisticsProjection } from './permit-statistics.projection.js';
import { LastStep, StepCount, UserCount } from './permit-statistics.tables.js';
import { PermitStatistics } from './permit-statistics.js';

/** Statistics of the permit office in SQLite, by TypeORM: sql.js keeps it in memory, and needs no compiler. */
@Module({
  imports: [TypeOrmModule.forRoot({ type: 'sqljs', entities: [StepCount, UserCount, LastStep], synchronize: true })],
  controllers: [PermitStatisticsController, ChangedCasesController],
  providers: [PermitStatisticsDatabase, PermitStatisticsProjection, PermitStatistics, ChangedCases],
  exports: [PermitStatistics, ChangedCases],
})
export class PermitStatisticsModule {}
