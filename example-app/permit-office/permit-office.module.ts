import { Module } from '@nestjs/common';
import { EventStoreModule } from 'nestjs-dynamodb-event-store';
import { CasesController } from './cases.controller.js';
import { PermitCase } from './permit-case.js';
import { PermitStatisticsModule } from './permit-statistics.module.js';
import { RecordStepHandler } from './record-step.js';

@Module({
  imports: [EventStoreModule.forFeature([PermitCase]), PermitStatisticsModule],
  controllers: [CasesController],
  providers: [RecordStepHandler],
})
export class PermitOfficeModule {}
