import { describe, expect, it } from '@jest/globals';
import * as everything from '../src/index.js';
import {
  AggregateNotFoundError,
  AggregateRegistrationError,
  AggregateUnusableError,
  CommitOutcomeUnknownError,
  CommitTooLargeError,
  ConcurrencyError,
  CorruptStreamError,
  DuplicateCommandError,
  EventRegistrationError,
  EventStoreError,
  EventStoreUnavailableError,
  InvalidCommitError,
  InvalidConfigurationError,
  InvalidEventError,
  InvalidStreamIdError,
  MissingApplierError,
  MissingTenantError,
  NestedCommandFailedError,
  NO_STREAM,
  OperationAbortedError,
  ProjectionError,
  SubscriptionError,
  TableError,
  TableWriteRefusedError,
  UniqueConstraintError,
  UnitOfWorkClosedError,
  UnknownEventTypeError,
  UnserializableEventError,
} from '../src/index.js';
import { invalidWritesError, noTablesError, refusedByConditionError } from '../src/store/table-write.js';

const stream = { aggregateType: 'account', aggregateId: 'a-1', tenantId: 'acme' };
const other = { aggregateType: 'case', aggregateId: 'c-2' };
const key = { command: 'Deposit', key: 'secret-key' };
const put = (TableName: string) => ({ Put: { TableName, Item: { id: 'secret' } } });

/** What each says, beside what its type says: what it is about, and what to do. */
const ERRORS: readonly [EventStoreError, ...RegExp[]][] = [
  [new AggregateNotFoundError(stream), /account/, /a-1/, /acme/],
  [new AggregateRegistrationError('twice')],
  [new AggregateUnusableError('over')],
  [
    new CommitOutcomeUnknownError(
      'commit-1',
      [
        { stream, expectedVersion: 1 },
        { stream: other, expectedVersion: 0 },
      ],
      'lost',
    ),
    /commit-1/,
    /a-1.*, .*c-2/,
    /\(lost\)/,
    /outcomeOf\(error\)/,
  ],
  [new CommitOutcomeUnknownError('commit-1', [], 'lost'), /to no stream/],
  [new CommitTooLargeError('The commit', 7, 5, 'bytes'), /The commit has 7 bytes/, /limit is 5/, /Amazon S3/],
  [new CommitTooLargeError('The commit', 7, 5, 'events'), /7 events/, /into several commands/],
  [new CommitTooLargeError('The commit', 7, 5, 'writes'), /7 writes/, /into several commands/],
  [new ConcurrencyError(stream, 3, 4), /a-1/, /at version 4.*version 3 was expected/, /load it again/],
  [new ConcurrencyError(stream, NO_STREAM, 4), /a-1/, /exists already, at version 4/, /another id/],
  [new CorruptStreamError('a hole')],
  [new DuplicateCommandError(key), /Deposit/, /carried out already. Nothing was stored again/],
  [new DuplicateCommandError(key, 'other-body'), /Deposit/, /another body, or for another user/, /new key/],
  [new DuplicateCommandError(key, 'result-not-kept'), /Deposit/, /result was not kept/, /Return less/],
  [new EventRegistrationError('twice')],
  [new EventStoreUnavailableError('gone')],
  [new InvalidCommitError('twice')],
  [new InvalidConfigurationError('none')],
  [
    new InvalidEventError('Deposited', ['amount (isInt)', 'note (maxLength)']),
    /Deposited/,
    /amount \(isInt\), note \(max/,
  ],
  [new InvalidStreamIdError('empty')],
  [new MissingApplierError('Account', 'Deposited', true), /Account has no applier/, /@On\(Deposited\)/, /ignores/],
  [new MissingApplierError('Account', 'Deposited', false), /no event class/, /@EventType/, /to Account/],
  [new MissingTenantError(), /requireTenant/, /CommandContext\.run/],
  [new NestedCommandFailedError(new Error('inner')), /nothing was stored/, /@OwnUnitOfWork/],
  [new OperationAbortedError('gone'), /AbortSignal/, /Nothing was written/],
  [new ProjectionError('none')],
  [new SubscriptionError('none')],
  [new TableError('events', ['one', 'two']), /"events": one; two\. /, /tables of EventStoreModule/],
  [refusedByConditionError('balances', put('views')), /"balances"/, /its own condition/, /table "views"/],
  [invalidWritesError([put('views'), put('views'), put('sums')]), /to "views", "sums": /, /written twice/],
  [noTablesError(), /storage: 'memory' has none/, /storage: 'dynamodb'/],
  [new UniqueConstraintError('email', stream), /a-1/, /cannot have this email/, /Choose another/],
  [new UniqueConstraintError('email', stream, 'release'), /a-1/, /cannot release this email/],
  [new UnitOfWorkClosedError('over')],
  [new UnknownEventTypeError('account.Opened', 'register it'), /"account\.Opened": register it/],
  [new UnserializableEventError('Deposited', '$.at', 'no data'), /Deposited/, /\$\.at/, /no data/],
];

describe('errors', () => {
  it('are all looked at here', () => {
    const exported = Object.values(everything).filter(
      (each) => typeof each === 'function' && each.prototype instanceof EventStoreError,
    );
    expect(exported.length).toBeGreaterThan(20);
    expect(new Set(ERRORS.map(([error]) => error.constructor))).toEqual(new Set(exported));
  });

  it.each(ERRORS)('%s', (error, ...texts) => {
    const code = error.constructor.name
      .replace(/Error$/, '')
      .replaceAll(/(?<=.)[A-Z]/g, '_$&')
      .toUpperCase();
    expect([error.name, error.code]).toEqual([error.constructor.name, code]);
    for (const text of texts) expect(error.message).toMatch(text);
    expect(error.message).not.toContain('secret');
  });

  it('of writes of projections say whether a condition was at fault', () => {
    expect(refusedByConditionError('balances', put('views')).byCondition).toBe(true);
    expect([invalidWritesError([put('views')]), noTablesError()].map(({ byCondition }) => byCondition)).toEqual([
      false,
      false,
    ]);
    expect(new TableWriteRefusedError('refused').byCondition).toBe(false);
  });

  it('of an unknown outcome name the streams, in the order of the commit', () => {
    const appends = [stream, other].map((each) => ({ stream: each, expectedVersion: 0 }));
    expect(new CommitOutcomeUnknownError('c', appends, 'lost').streams).toEqual([stream, other]);
  });
});
