import type { DynamoDbOptions } from '../dynamodb/dynamodb-connection.js';
import type { TableNames } from '../dynamodb/table.js';
import type { CommandContextSources } from './command-context.interceptor.js';
import type { ValueType } from '../event/value-type.js';
import { EventStoreError } from '../event/event-store-error.js';

/** Options of `EventStoreModule.forRoot` and `forRootAsync`. */
export interface EventStoreModuleOptions extends DynamoDbOptions {
  /** `memory` keeps everything in this process, with the same promises: for tests and first steps. Default `dynamodb`. */
  readonly storage?: 'dynamodb' | 'memory';
  /** Create missing tables at start-up; default false, which checks that they are there. */
  readonly provision?: boolean;
  /** How often a command that lost a race is run again before `ConcurrencyError`; default 3. */
  readonly conflictRetries?: number;
  /** No commit, and no page of a read, takes longer; in milliseconds, default 10,000. */
  readonly deadlineMs?: number;
  /** Refuse every operation that names no tenant, with `MissingTenantError`; default false. */
  readonly requireTenant?: boolean;
  /** Check events by their class-validator rules when they are read as well, after upcasting; default false. */
  readonly validateOnLoad?: boolean;
  /** Where the `CommandContextInterceptor` finds user, tenant and further values of a request. */
  readonly commandContext?: CommandContextSources;
  readonly idempotency?: {
    /** How long the key of a command that was carried out is kept, in milliseconds; default 86,400,000, a day. */
    readonly keepForMs?: number;
  };
  readonly subscriptions?: SubscriptionOptions;
  readonly snapshots?: {
    /** Let a command wait until its snapshots are written, where the process may freeze after it, as on Lambda. Default false. */
    readonly wait?: boolean;
  };
  /** Classes of values that events and snapshots may hold beside plain data. */
  // oxlint-disable-next-line typescript/no-explicit-any -- each entry is typed by its own class
  readonly valueTypes?: readonly ValueType<any>[];
}

/** How projections and other subscriptions follow the feed. */
export interface SubscriptionOptions {
  /** Whether this process reads events for its projections; default true. False where others do, or where it may freeze. */
  readonly run?: boolean;
  /**
   * `streams` handles events as soon as DynamoDB Streams tells of them; the feed is read as well, less often, and brings
   * what the stream does not. Needs `@aws-sdk/client-dynamodb-streams`. No effect with storage 'memory'. Default `feed`.
   */
  readonly source?: 'feed' | 'streams';
  /**
   * How old an event is to be before it is read from the feed, as its neighbours may show later; in milliseconds, default
   * 1,000. With storage 'memory', 2.
   */
  readonly marginMs?: number;
  /**
   * How late an event may show in the feed: the skew of clocks, the delay of the index, and the `deadlineMs` of whoever
   * writes, as a commit that is repeated keeps its time. In milliseconds; default 120,000, or `deadlineMs` + 60,000 where
   * that is more. An event that comes later is handled with the next one of its aggregate, or not at all.
   */
  readonly backtrackMs?: number;
  /**
   * How long to wait where there was nothing new; in milliseconds, default 500, with source 'streams' 2,000. With storage
   * 'memory', 20.
   */
  readonly pollMs?: number;
  /** How long a process may be silent before others take over what it reads; in milliseconds, default 15,000. */
  readonly leaseMs?: number;
}

/** Options with their defaults, checked. */
export interface EventStoreSettings extends DynamoDbOptions {
  readonly storage: 'dynamodb' | 'memory';
  readonly tables: TableNames;
  readonly provision: boolean;
  readonly conflictRetries: number;
  readonly deadlineMs: number;
  readonly requireTenant: boolean;
  readonly validateOnLoad: boolean;
  readonly commandContext: CommandContextSources;
  readonly keepIdempotencyKeysMs: number;
  readonly waitForSnapshots: boolean;
  readonly subscriptions: SubscriptionOptions;
  readonly valueTypes: readonly ValueType[];
}

/** The options of EventStoreModule contradict each other, or one is missing. */
export class InvalidConfigurationError extends EventStoreError {
  readonly code = 'INVALID_CONFIGURATION';
}

/** An hour; a timer of Node overflows at 25 days. */
const MAX_DEADLINE_MS = 3_600_000;

const DAY_MS = 24 * 3_600_000;

/** A repeat that finds no key any more is carried out again; see `outcomeOf` for how late a request may arrive. */
const MIN_KEEP_KEYS_MS = 15 * 60_000;

const IN_MEMORY_TABLES: TableNames = { events: 'memory', bookkeeping: 'memory' };

/** @throws InvalidConfigurationError naming the option and the fix */
export function settingsFrom(options: EventStoreModuleOptions): EventStoreSettings {
  const {
    storage = 'dynamodb',
    conflictRetries = 3,
    deadlineMs = 10_000,
    provision = false,
    requireTenant = false,
    validateOnLoad = false,
    snapshots,
    valueTypes = [],
  } = options;
  const keepIdempotencyKeysMs = options.idempotency?.keepForMs ?? DAY_MS;
  if (storage !== 'dynamodb' && storage !== 'memory') {
    throw new InvalidConfigurationError(`storage must be 'dynamodb' or 'memory'.`);
  }
  if (storage === 'dynamodb' && !(options.tables?.events && options.tables.bookkeeping)) {
    throw new InvalidConfigurationError(
      `EventStoreModule needs the names of its tables: forRoot({ tables: { events: '…', bookkeeping: '…' } }), or storage: 'memory'.`,
    );
  }
  if (storage === 'dynamodb' && options.tables?.events === options.tables?.bookkeeping) {
    throw new InvalidConfigurationError('tables.events and tables.bookkeeping must be two tables.');
  }
  if (options.client && options.clientConfig) {
    throw new InvalidConfigurationError('Give EventStoreModule client or clientConfig, not both.');
  }
  if (!Number.isSafeInteger(conflictRetries) || conflictRetries < 0) {
    throw new InvalidConfigurationError('conflictRetries must be a whole number from 0.');
  }
  if (!(deadlineMs > 0 && deadlineMs <= MAX_DEADLINE_MS)) {
    throw new InvalidConfigurationError(
      `deadlineMs must be a number of milliseconds above 0, at most ${MAX_DEADLINE_MS}.`,
    );
  }
  const { source = 'feed' } = options.subscriptions ?? {};
  if (source !== 'feed' && source !== 'streams') {
    throw new InvalidConfigurationError(`subscriptions.source must be 'feed' or 'streams'.`);
  }
  for (const [name, value] of Object.entries(options.subscriptions ?? {})) {
    if (
      name === 'run' ||
      name === 'source' ||
      (Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= MAX_DEADLINE_MS)
    )
      continue;
    throw new InvalidConfigurationError(
      `subscriptions.${name} must be a whole number of milliseconds from 1 to ${MAX_DEADLINE_MS}.`,
    );
  }
  if (!(Number.isSafeInteger(keepIdempotencyKeysMs) && keepIdempotencyKeysMs >= MIN_KEEP_KEYS_MS)) {
    throw new InvalidConfigurationError(
      `idempotency.keepForMs must be a whole number of milliseconds from ${MIN_KEEP_KEYS_MS}, as a request may arrive that late.`,
    );
  }
  return {
    storage,
    tables: options.tables ?? IN_MEMORY_TABLES,
    provision,
    conflictRetries,
    deadlineMs,
    requireTenant,
    validateOnLoad,
    commandContext: options.commandContext ?? {},
    keepIdempotencyKeysMs,
    waitForSnapshots: snapshots?.wait ?? false,
    subscriptions: options.subscriptions ?? {},
    valueTypes,
    ...(options.client && { client: options.client }),
    ...(options.clientConfig && { clientConfig: options.clientConfig }),
  };
}
