import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { IsInt, IsISO8601, IsOptional, IsRFC3339, Max, Min } from 'class-validator';
import { Type } from 'class-transformer';
import { EventStore, type RecordedEvent } from 'nestjs-dynamodb-event-store';

export class ActionsQuery {
  @ApiPropertyOptional({ description: 'From this moment on.', example: '2030-01-24T00:00:00Z' })
  @IsOptional()
  @IsISO8601({ strict: true })
  @IsRFC3339()
  readonly from?: string;

  @ApiPropertyOptional({ description: 'Up to this moment.', example: '2030-01-31T00:00:00Z' })
  @IsOptional()
  @IsISO8601({ strict: true })
  @IsRFC3339()
  readonly to?: string;

  @ApiPropertyOptional({ description: 'At most so many, newest first.', default: 100 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  readonly limit?: number;
}

/** One thing that a user did, to an account or to a permit case. */
export class Action {
  @ApiProperty({ example: 'account' }) readonly of: string;
  @ApiProperty() readonly id: string;
  @ApiProperty() readonly version: number;
  @ApiProperty() readonly time: Date;
  @ApiProperty({ example: 'bank.MoneyDeposited' }) readonly type: string;
  @ApiProperty({ type: Object }) readonly data: object;

  constructor({ stream, version, eventTime, eventType, event }: RecordedEvent) {
    this.of = stream.aggregateType;
    this.id = stream.aggregateId;
    this.version = version;
    this.time = eventTime;
    this.type = eventType;
    this.data = event;
  }
}

@ApiTags('users')
@Controller('users')
export class UsersController {
  constructor(private readonly eventStore: EventStore) {}

  @Get(':id/actions')
  @ApiOperation({ summary: 'What a user did, such as in the last week; the newest first' })
  @ApiOkResponse({ type: [Action] })
  async actions(@Param('id') userId: string, @Query() { from, to, limit = 100 }: ActionsQuery): Promise<Action[]> {
    const range = { ...(from && { from: new Date(from) }), ...(to && { to: new Date(to) }) };
    const actions: Action[] = [];
    for await (const recorded of this.eventStore.query({ userId }, { ...range, limit, direction: 'backward' })) {
      actions.push(new Action(recorded));
    }
    return actions;
  }
}
