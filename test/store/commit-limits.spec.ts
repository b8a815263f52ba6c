import { describe, expect, it } from '@jest/globals';
import { CommitTooLargeError } from '../../src/index.js';
import { assertEventCount, assertEventSizes, assertWriteCount, COMMIT_LIMITS } from '../../src/store/commit-limits.js';

const KB = 1024;
const sizes = (...bytes: number[]) => bytes.map((each) => ({ eventType: 'Grown', bytes: each }));

describe('the limits of a commit', () => {
  it('are those of DynamoDB', () => {
    expect(COMMIT_LIMITS).toEqual({ events: 100, eventBytes: 400 * KB, commitBytes: 4096 * KB });
  });

  it('allow a commit that is just as large', () => {
    assertEventCount(100, 0);
    assertEventCount(98, 2);
    assertWriteCount(100);
    assertEventSizes(sizes(400 * KB));
    assertEventSizes(sizes(...Array.from({ length: 11 }, () => 372 * KB), 4 * KB));
    assertEventSizes(sizes(1), 4096 * KB);
  });

  it.each<[string, () => void, Partial<CommitTooLargeError>]>([
    ['events', () => assertEventCount(101, 0), { what: 'The commit', size: 101, limit: 100, unit: 'events' }],
    ['events and others', () => assertEventCount(98, 3), { what: 'The commit', size: 101, unit: 'events' }],
    ['writes', () => assertWriteCount(101), { size: 101, limit: 100, unit: 'writes' }],
    [
      'bytes of an event',
      () => assertEventSizes(sizes(1, 400 * KB + 1)),
      { what: 'The event Grown', size: 409_601, limit: 409_600, unit: 'bytes' },
    ],
    [
      'bytes of its events',
      () => assertEventSizes(sizes(...Array.from({ length: 11 }, () => 372 * KB), 4 * KB + 1)),
      { what: 'The commit', size: 4_194_305, limit: 4_194_304, unit: 'bytes' },
    ],
    ['bytes in all', () => assertEventSizes(sizes(1), 4096 * KB + 1), { what: 'The commit', size: 4_194_305 }],
  ])('refuse one %s more', (_, check, expected) => {
    expect(check).toThrow(CommitTooLargeError);
    expect(check).toThrow(expect.objectContaining(expected));
  });
});
