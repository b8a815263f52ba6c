import { describe, expect, it } from '@jest/globals';
import { cancellationReasons, failureKind, failureName } from '../../src/dynamodb/failure.js';

const refusal = (name: string, httpStatusCode = 400) => ({ name, $fault: 'client', $metadata: { httpStatusCode } });

describe('the name of a failure', () => {
  it.each<[unknown, string]>([
    [new TypeError('secret'), 'TypeError'],
    [{ code: 'ECONNRESET', name: 'Error' }, 'ECONNRESET'],
    [{ code: 404, name: 'NotFound' }, 'NotFound'],
    [{ name: 'not a name: it has spaces' }, 'unknown failure'],
    [{ name: '0digit' }, 'unknown failure'],
    [{ name: `A${'b'.repeat(63)}` }, `A${'b'.repeat(63)}`],
    [{ name: `A${'b'.repeat(64)}` }, 'unknown failure'],
    [{ name: 'A.b_1' }, 'A.b_1'],
    [{ name: 'Multi\nline' }, 'unknown failure'],
    [undefined, 'unknown failure'],
    [null, 'unknown failure'],
    ['text', 'unknown failure'],
  ])('of %j is %s', (error, name) => expect(failureName(error)).toBe(name));

  it('has each reason of a cancelled transaction once, but for those that are none', () => {
    const codes = [
      'None',
      'TransactionConflict',
      'None',
      'ThrottlingError',
      'TransactionConflict',
      'a secret',
      undefined,
    ];
    const error = { name: 'Cancelled', CancellationReasons: codes.map((Code) => ({ Code })) };
    expect(failureName(error)).toBe('Cancelled (TransactionConflict, ThrottlingError)');
    expect(failureName({ ...error, CancellationReasons: [{ Code: 'None' }] })).toBe('Cancelled');
  });

  it('has no reasons where they are no list', () => {
    expect(cancellationReasons({ CancellationReasons: 'x' })).toEqual([]);
    expect(cancellationReasons(undefined)).toEqual([]);
    expect(failureName({ name: 'Cancelled', CancellationReasons: 'x' })).toBe('Cancelled');
  });
});

describe('what a failure says of a write', () => {
  it.each<[unknown, string]>([
    [refusal('ValidationException'), 'rejected'],
    [refusal('ValidationException', 399), 'unknown'],
    [refusal('ValidationException', 499), 'rejected'],
    [refusal('ValidationException', 500), 'unknown'],
    [{ ...refusal('Other'), $fault: 'server' }, 'unknown'],
    [{ name: 'Other', $fault: 'client' }, 'unknown'],
    [refusal('ThrottlingException'), 'not-applied'],
    [{ code: 'ECONNREFUSED' }, 'not-applied'],
    [{ code: 'ECONNRESET' }, 'unknown'],
    [refusal('TransactionInProgressException'), 'unknown'],
    [new Error('anything'), 'unknown'],
  ])('%j: %s', (error, kind) => expect(failureKind(error)).toBe(kind));
});
