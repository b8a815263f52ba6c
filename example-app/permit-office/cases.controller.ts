import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { IsNotEmpty, IsString } from 'class-validator';
import { EventStore } from 'nestjs-dynamodb-event-store';
import type { CaseReceived, StepDone } from './permit-events.js';

export class CasesQuery {
  @ApiProperty({ description: 'The activity of the step.', example: 'Confirmation of receipt' })
  @IsString()
  @IsNotEmpty()
  readonly step!: string;
}

@ApiTags('permit cases')
@Controller('permit-cases')
export class CasesController {
  constructor(private readonly eventStore: EventStore) {}

  @Get()
  @ApiOperation({ summary: 'Which cases had a step: their ids, by when they had it first' })
  @ApiOkResponse({ type: [String] })
  async withStep(@Query() { step }: CasesQuery): Promise<string[]> {
    const cases = new Set<string>();
    // Every event of every case is read, page by page: good for a question now and then. What is asked all day is a
    // view of its own.
    for await (const { stream, event } of this.eventStore.query({ aggregateType: 'permit-case' })) {
      if ((event as CaseReceived | StepDone).step.activity === step) cases.add(stream.aggregateId);
    }
    return [...cases];
  }
}
