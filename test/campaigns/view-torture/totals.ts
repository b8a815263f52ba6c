import { Inject, Injectable } from '@nestjs/common';
import { EventType, On, Projection, type ProjectionContext } from '../../../src/index.js';

export const COUNTER = 'view-torture-counter';

@EventType('view-torture.Counted')
export class Counted {
  constructor(readonly amount: number) {}
}

/** Name of the table that holds the view. */
export const TOTALS_TABLE = Symbol('totals');

/** What the view says of a counter. */
export interface Total {
  readonly id: string;
  readonly total: number;
  readonly events: number;
  readonly version: number;
}

/** A version twice would show in the sum, and one out of order is refused by the condition. */
@Injectable()
@Projection('totals', { aggregates: [COUNTER], batch: 20, attempts: 3 })
export class Totals {
  constructor(@Inject(TOTALS_TABLE) private readonly tableName: string) {}

  @On(Counted) counted({ amount }: Counted, { recorded, transaction }: ProjectionContext<Counted>): void {
    transaction.update({
      TableName: this.tableName,
      Key: { id: recorded.stream.aggregateId },
      UpdateExpression: 'ADD #total :amount, #events :one SET #version = :version',
      ConditionExpression: recorded.version === 1 ? 'attribute_not_exists(id)' : '#version = :before',
      ExpressionAttributeNames: { '#total': 'total', '#events': 'events', '#version': 'version' },
      ExpressionAttributeValues: {
        ':amount': amount,
        ':one': 1,
        ':version': recorded.version,
        ...(recorded.version > 1 && { ':before': recorded.version - 1 }),
      },
    });
  }
}
