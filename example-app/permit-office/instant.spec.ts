import { describe, expect, it } from '@jest/globals';
import { instantOf } from './instant.js';

describe('instantOf', () => {
  it('keeps every digit of the fraction', () => {
    expect(instantOf('1970-01-01 00:00:01.000001+00:00')).toBe(1_000_001_000n);
    expect(instantOf('1970-01-01 00:00:00.123456789Z')).toBe(123_456_789n);
    expect(instantOf('1969-12-31 23:59:59.9Z')).toBe(-100_000_000n);
  });

  it.each([
    ['2011-10-11 13:45:40.276000+02:00', '2011-10-11T11:45:40.276Z'],
    ['2011-10-11 13:45:40+02:00', '2011-10-11 06:15:40.000-05:30'],
    ['2012-03-01 00:30:00+01:00', '2012-02-29T23:30:00Z'],
  ])('sees that %s is %s', (one, other) => {
    expect(instantOf(one)).toBe(instantOf(other));
  });

  it.each([
    '',
    'yesterday',
    '2011-10-11',
    '2011-10-11 13:45:40',
    '2011-10-11 13:45:40.+02:00',
    '2011-13-11 13:45:40+02:00',
    '2011-02-30 13:45:40+02:00',
    '2011-10-11 24:00:00+02:00',
    '2011-10-11 13:60:40+02:00',
    '2011-10-11 13:45:40+24:00',
    ' 2011-10-11 13:45:40+02:00',
  ])('does not take "%s" for a time', (text) => {
    expect(instantOf(text)).toBeUndefined();
  });
});
