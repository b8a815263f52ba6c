import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  IsInt,
  IsISO8601,
  IsNotEmpty,
  IsOptional,
  IsRFC3339,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';

const LARGEST_AMOUNT = 1_000_000_000_00;

export class OpenAccountRequest {
  @ApiProperty({ example: 'Ada' })
  @IsString()
  @IsNotEmpty()
  @MaxLength(200)
  readonly owner!: string;

  @ApiPropertyOptional({ description: 'A short name that no other account has.', example: 'ada' })
  @IsOptional()
  @Matches(/^[a-z0-9-]{1,40}$/, { message: 'alias must be 1 to 40 of a to z, 0 to 9 and -' })
  readonly alias?: string;
}

export class AmountRequest {
  @ApiProperty({ description: 'Amount in cents.', example: 1250 })
  @IsInt()
  @Min(1)
  @Max(LARGEST_AMOUNT)
  readonly cents!: number;
}

export class TransferRequest extends AmountRequest {
  @ApiProperty({ description: 'Id of the account that receives the money.' })
  @IsString()
  @IsNotEmpty()
  readonly to!: string;
}

export class BalanceQuery {
  @ApiPropertyOptional({
    description: 'The moment to look at, with its time zone; now by default.',
    example: '2030-01-31T12:00:00Z',
  })
  @IsOptional()
  @IsISO8601({ strict: true })
  @IsRFC3339({ message: 'at must be a time with its zone, such as 2030-01-31T12:00:00Z' })
  readonly at?: string;
}
