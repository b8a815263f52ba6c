import 'reflect-metadata';
import assert from 'node:assert/strict';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { IsInt, IsString, ValidateNested } from 'class-validator';
import { EventStore, EventStoreModule, EventType, InvalidEventError, NO_STREAM } from 'nestjs-dynamodb-event-store';

/** What class-validator and class-transformer add, for the application that has them. */

class Address {
  @IsString() readonly city!: string;
}

@EventType('check.Moved')
class Moved {
  @IsInt() readonly year: number;
  @ValidateNested() @Type(() => Address) readonly to: Address;

  constructor(year: number, to: Address) {
    this.year = year;
    this.to = to;
  }
}

@Module({
  imports: [
    CqrsModule.forRoot(),
    EventStoreModule.forRoot({ storage: 'memory' }),
    EventStoreModule.forFeature([Moved]),
  ],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['fatal', 'error'] });
  const store = app.get(EventStore);
  const append = (event: Moved) =>
    store.append({ aggregateType: 'check-person', aggregateId: 'Ada' }, [event], { expectedVersion: NO_STREAM });
  await assert.rejects(append(new Moved(1833.5, { city: 'London' })), InvalidEventError);
  await assert.rejects(append(new Moved(1833, { city: 1 } as unknown as Address)), InvalidEventError);
  await append(new Moved(1833, { city: 'London' }));
  await app.close();
  console.log('3 cases passed');
}

void main();
