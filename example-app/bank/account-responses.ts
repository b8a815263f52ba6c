import { ApiProperty } from '@nestjs/swagger';
import type { RecordedEvent } from 'nestjs-dynamodb-event-store';
import type { Account } from './account.js';

export class OpenedResponse {
  @ApiProperty() readonly id: string;

  constructor(id: string) {
    this.id = id;
  }
}

export class BalanceResponse {
  @ApiProperty() readonly id: string;
  @ApiProperty() readonly owner: string;
  @ApiProperty({ description: 'Balance in cents.' }) readonly cents: number;
  @ApiProperty() readonly isClosed: boolean;
  @ApiProperty({ description: 'How many events the account had.' }) readonly version: number;

  constructor({ id, owner, cents, isClosed, version }: Account) {
    this.id = id;
    this.owner = owner;
    this.cents = cents;
    this.isClosed = isClosed;
    this.version = version;
  }
}

export class HistoryEntry {
  @ApiProperty({ description: 'Position in the history of the account, from 1.' }) readonly version: number;
  @ApiProperty() readonly time: Date;
  @ApiProperty({ type: String, nullable: true }) readonly user: string | null;
  @ApiProperty({ example: 'bank.MoneyDeposited' }) readonly type: string;
  @ApiProperty({ type: Object }) readonly data: object;
  @ApiProperty({ description: 'The same for all events that were stored together.' }) readonly commitId: string;

  constructor({ version, eventTime, metadata, eventType, event, commitId }: RecordedEvent) {
    this.version = version;
    this.time = eventTime;
    this.user = metadata.userId ?? null;
    this.type = eventType;
    this.data = event;
    this.commitId = commitId;
  }
}
