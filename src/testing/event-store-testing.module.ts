import type { DynamicModule } from '@nestjs/common';
import { EventRegistry } from '../event/event-registry.js';
import { Bookkeeping } from '../store/bookkeeping.js';
import { EventStore } from '../store/event-store.js';
import type { EventStoreModuleOptions } from '../nest/event-store-options.js';
import { EventStoreModule } from '../nest/event-store.module.js';
import { BookkeepingDouble } from './bookkeeping-double.js';
import { EventStoreDouble } from './event-store-double.js';

/** Those options of EventStoreModule that speak neither of a database nor of how events are followed. */
export type EventStoreTestingOptions = Pick<
  EventStoreModuleOptions,
  'commandContext' | 'conflictRetries' | 'idempotency' | 'requireTenant' | 'snapshots' | 'validateOnLoad' | 'valueTypes'
>;

/**
 * `EventStoreTestingModule.forRoot()` in the place of `EventStoreModule.forRoot(…)`, for a test that builds its own
 * application, as with `Test.createTestingModule`: the same module, with an `EventStoreDouble` to inject as its store, and a
 * `BookkeepingDouble` that shows what projections wrote.
 */
export class EventStoreTestingModule {
  static forRoot(options: EventStoreTestingOptions = {}): DynamicModule {
    const { requireTenant = false } = options;
    const real = EventStoreModule.forRoot({ ...options, storage: 'memory' });
    return {
      ...real,
      // Nest adds these behind the providers of the class's @Module, and the last one for a token is the one that counts.
      providers: [
        ...(real.providers ?? []),
        {
          provide: EventStoreDouble,
          inject: [EventRegistry],
          useFactory: (registry: EventRegistry) => new EventStoreDouble(registry, { requireTenant }),
        },
        { provide: EventStore, useExisting: EventStoreDouble },
        BookkeepingDouble,
        { provide: Bookkeeping, useExisting: BookkeepingDouble },
      ],
      exports: [...(real.exports ?? []), EventStoreDouble, BookkeepingDouble],
    };
  }
}
