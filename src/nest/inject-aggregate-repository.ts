import { Inject } from '@nestjs/common';
import type { AggregateRoot } from '../aggregate/aggregate-root.js';
import type { Class } from '../event/class-type.js';

const tokens = new WeakMap<Class, symbol>();

/** The injection token of a class's repository, for `app.get` and custom providers. */
export function getAggregateRepositoryToken(aggregateClass: Class<AggregateRoot>): symbol {
  let token = tokens.get(aggregateClass);
  if (!token) {
    token = Symbol(`AggregateRepository<${aggregateClass.name}>`);
    tokens.set(aggregateClass, token);
  }
  return token;
}

/** Injects the `AggregateRepository` of a class that `EventStoreModule.forFeature` registered. */
export function InjectAggregateRepository(
  aggregateClass: Class<AggregateRoot>,
): ParameterDecorator & PropertyDecorator {
  return Inject(getAggregateRepositoryToken(aggregateClass));
}
