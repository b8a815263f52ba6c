import { Module } from '@nestjs/common';
import { EventStoreModule } from 'nestjs-dynamodb-event-store';
import { PermitCase } from './permit-case.js';
import { RecordStepHandler } from './record-step.js';

@Module({
  imports: [EventStoreModule.forFeature([PermitCase])],
  providers: [RecordStepHandler],
})
export class PermitOfficeModule {}
