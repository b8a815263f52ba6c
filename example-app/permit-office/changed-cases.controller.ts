import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { ChangedCases } from './changed-cases.js';
import type { LastStep } from './permit-statistics.tables.js';

export class ChangedCaseResponse implements LastStep {
  @ApiProperty() readonly caseId!: string;
  @ApiProperty({ description: 'How many events of the case the view has seen.' }) readonly version!: number;
  @ApiProperty({ description: 'The last step.', example: 'Confirmation of receipt' }) readonly step!: string;
  @ApiProperty({ description: 'Who did it.' }) readonly user!: string;
  @ApiProperty({ description: 'When it was stored.' }) readonly storedAt!: string;
}

@ApiTags('permit cases')
@Controller('permit-cases/changed')
export class ChangedCasesController {
  constructor(private readonly cases: ChangedCases) {}

  @Get()
  @ApiOperation({ summary: 'The ten cases that changed last, the latest first; a second or so behind' })
  @ApiOkResponse({ type: [ChangedCaseResponse] })
  async last(): Promise<readonly LastStep[]> {
    return this.cases.last();
  }
}
