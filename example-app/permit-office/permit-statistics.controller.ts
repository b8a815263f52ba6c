import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { PermitStatistics, type PermitStatisticsShown } from './permit-statistics.js';

export class StepCountResponse {
  @ApiProperty({ example: 'Confirmation of receipt' }) readonly step!: string;
  @ApiProperty() readonly times!: number;
}

export class UserCountResponse {
  @ApiProperty() readonly user!: string;
  @ApiProperty() readonly times!: number;
}

export class PermitStatisticsResponse implements PermitStatisticsShown {
  @ApiProperty() readonly cases!: number;
  @ApiProperty({ type: [StepCountResponse] }) readonly steps!: StepCountResponse[];
  @ApiProperty({ type: [UserCountResponse] }) readonly users!: UserCountResponse[];
}

@ApiTags('permit cases')
@Controller('permit-statistics')
export class PermitStatisticsController {
  constructor(private readonly statistics: PermitStatistics) {}

  @Get()
  @ApiOperation({ summary: 'How often each step was done, and how many steps by each user; a second or so behind' })
  @ApiOkResponse({ type: PermitStatisticsResponse })
  async all(): Promise<PermitStatisticsShown> {
    return this.statistics.all();
  }
}
