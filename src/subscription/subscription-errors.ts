import { EventStoreError } from '../event/event-store-error.js';

/** A projection class that cannot work as it is declared; found at start-up. */
export class ProjectionError extends EventStoreError {
  readonly code = 'PROJECTION';
}

/** A subscription was asked for what it cannot do, such as one that does not exist. */
export class SubscriptionError extends EventStoreError {
  readonly code = 'SUBSCRIPTION';
}
