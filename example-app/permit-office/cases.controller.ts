import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { IsNotEmpty, IsString, MaxLength } from 'class-validator';
import { EventStore } from 'nestjs-dynamodb-event-store';
import type { CaseFacts, CaseReceived, StepDone } from './permit-events.js';
import { RecordStep } from './record-step.js';

export class CasesQuery {
  @ApiProperty({ description: 'The activity of the step.', example: 'Confirmation of receipt' })
  @IsString()
  @IsNotEmpty()
  readonly step!: string;
}

export class StepRequest {
  @ApiProperty({ description: 'The activity of the step.', example: 'Confirmation of receipt' })
  @IsString()
  @IsNotEmpty()
  @MaxLength(200)
  readonly step!: string;
}

/** Nothing is known of a case that was not imported, but its steps. */
const NO_FACTS: CaseFacts = {
  channel: '',
  department: '',
  group: '',
  responsible: '',
  startDate: '',
  endDate: '',
  plannedEndDate: '',
  deadline: '',
};

@ApiTags('permit cases')
@Controller('permit-cases')
export class CasesController {
  constructor(
    private readonly eventStore: EventStore,
    private readonly commands: CommandBus,
  ) {}

  @Post(':id/steps')
  @HttpCode(204)
  @ApiOperation({ summary: 'Record a step that was done now; the first one receives the case' })
  @ApiNoContentResponse()
  async record(@Param('id') id: string, @Body() { step }: StepRequest): Promise<void> {
    const done = { activity: step, taskId: '', transition: 'complete', group: '', doneAt: new Date().toISOString() };
    await this.commands.execute(new RecordStep(id, NO_FACTS, done));
  }

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
