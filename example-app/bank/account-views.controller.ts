import { Controller, Get, NotFoundException, Param, Query } from '@nestjs/common';
import {
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProperty,
  ApiPropertyOptional,
  ApiTags,
} from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsNotEmpty, IsOptional, IsString, Max, Min } from 'class-validator';
import { AccountViews, type AccountBalance, type StatementLine } from './account-views.js';

const DEFAULT_LIMIT = 100;

class LimitQuery {
  @ApiPropertyOptional({ description: 'At most so many.', default: DEFAULT_LIMIT })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(500)
  readonly limit?: number;
}

export class AccountsQuery extends LimitQuery {
  @ApiPropertyOptional({ description: 'The id of the last account of the page before.' })
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly after?: string;
}

export class StatementQuery extends LimitQuery {
  @ApiPropertyOptional({ description: 'The version of the last line of the page before.' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  readonly after?: number;
}

export class AccountBalanceResponse implements AccountBalance {
  @ApiProperty() readonly id!: string;
  @ApiProperty() readonly owner!: string;
  @ApiProperty({ type: String, nullable: true }) readonly alias!: string | null;
  @ApiProperty({ description: 'Balance in cents.' }) readonly cents!: number;
  @ApiProperty() readonly isClosed!: boolean;
  @ApiProperty({ description: 'How many events of the account the view has seen.' }) readonly version!: number;
}

export class StatementLineResponse implements StatementLine {
  @ApiProperty({ description: 'Position in the history of the account.' }) readonly version!: number;
  @ApiProperty() readonly time!: string;
  @ApiProperty({ example: 'bank.MoneyDeposited' }) readonly type!: string;
  @ApiProperty({ description: 'Below zero when they left the account.' }) readonly cents!: number;
  @ApiProperty({ type: String, nullable: true }) readonly otherAccount!: string | null;
  @ApiProperty({ type: String, nullable: true }) readonly user!: string | null;
}

@ApiTags('accounts')
@Controller('accounts')
export class AccountViewsController {
  constructor(private readonly views: AccountViews) {}

  @Get()
  @ApiOperation({ summary: 'All accounts with their balances, page by page; a second or so behind' })
  @ApiOkResponse({ type: [AccountBalanceResponse] })
  async balances(@Query() { limit = DEFAULT_LIMIT, after }: AccountsQuery): Promise<AccountBalance[]> {
    return this.views.balances({ limit, after });
  }

  @Get(':id/statement')
  @ApiOperation({ summary: 'The movements of an account, oldest first, page by page; a second or so behind' })
  @ApiOkResponse({ type: [StatementLineResponse] })
  @ApiNotFoundResponse({ description: 'There is no such account, or the view has not seen it yet.' })
  async statement(
    @Param('id') id: string,
    @Query() { limit = DEFAULT_LIMIT, after }: StatementQuery,
  ): Promise<StatementLine[]> {
    const [account, lines] = await Promise.all([this.views.balance(id), this.views.statement(id, { limit, after })]);
    if (!account) throw new NotFoundException(`There is no statement of account ${id}.`);
    return lines;
  }
}
