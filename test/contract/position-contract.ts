import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { StreamId } from '../../src/index.js';
import type { Bookkeeping } from '../../src/store/bookkeeping.js';

/** What every bookkeeping promises of how far projections have come in streams. */
export function positionContract(open: () => Promise<Bookkeeping>): void {
  describe('positions', () => {
    let bookkeeping: Bookkeeping;

    beforeAll(async () => {
      bookkeeping = await open();
    });

    const newStream = (tenantId?: string): StreamId => ({
      ...(tenantId !== undefined && { tenantId }),
      aggregateType: 'user',
      aggregateId: randomUUID(),
    });
    const move = (projection: string, stream: StreamId, version: number, fromVersion = version) =>
      bookkeeping.project([{ projection, stream, fromVersion, version }], []);

    it('moves a position forward without any write, and never back', async () => {
      const stream = newStream();
      expect(await bookkeeping.positionsOf('p', [stream])).toEqual([0]);
      expect(await move('p', stream, 3, 1)).toEqual({ kind: 'stored' });
      expect(await bookkeeping.positionsOf('p', [stream])).toEqual([3]);
      expect(await move('p', stream, 3)).toEqual({ kind: 'passed', index: 0 });
      expect(await move('p', stream, 5, 2)).toEqual({ kind: 'passed', index: 0 });
      expect(await bookkeeping.positionsOf('p', [stream])).toEqual([3]);
      expect(await move('p', stream, 9)).toEqual({ kind: 'stored' });
      expect(await bookkeeping.positionsOf('p', [stream])).toEqual([9]);
    });

    it('moves several positions together or none', async () => {
      const streams = [newStream(), newStream()];
      await move('p', streams[1]!, 2);
      const steps = streams.map((stream) => ({ projection: 'p', stream, fromVersion: 1, version: 4 }));
      expect(await bookkeeping.project(steps, [])).toEqual({ kind: 'passed', index: 1 });
      expect(await bookkeeping.positionsOf('p', streams)).toEqual([0, 2]);
    });

    it('writes an entry along with a position, both or neither', async () => {
      const stream = newStream();
      const subject = ['entries', randomUUID()];
      const step = (version: number, revision: number) =>
        bookkeeping.project([{ projection: 'p', stream, fromVersion: version, version }], [], {
          subject,
          id: 'a',
          value: { version },
          revision,
        });
      const kept = async () => [
        ...(await bookkeeping.entries(subject)),
        ...(await bookkeeping.positionsOf('p', [stream])),
      ];
      expect(await step(2, 1)).toEqual({ kind: 'outdated' });
      expect(await kept()).toEqual([0]);
      expect(await step(2, 0)).toEqual({ kind: 'stored' });
      expect(await kept()).toEqual([{ id: 'a', revision: 1, value: { version: 2 } }, 2]);
      expect(await step(1, 1)).toEqual({ kind: 'passed', index: 0 });
      expect(await step(3, 0)).toEqual({ kind: 'outdated' });
      expect(await step(2, 0)).toEqual({ kind: 'passed', index: 0 });
      expect(await kept()).toEqual([{ id: 'a', revision: 1, value: { version: 2 } }, 2]);
      expect(await step(3, 1)).toEqual({ kind: 'stored' });
      expect(await kept()).toEqual([{ id: 'a', revision: 2, value: { version: 3 } }, 3]);
    });

    it('gives the positions of many streams in their order', async () => {
      const streams = Array.from({ length: 40 }, () => newStream());
      await Promise.all(streams.slice(0, 20).map((stream, index) => move('many', stream, index + 1)));
      const expected = streams.map((_, index) => (index < 20 ? index + 1 : 0));
      expect(await bookkeeping.positionsOf('many', streams)).toEqual(expected);
      expect(await bookkeeping.positionsOf('many', [])).toEqual([]);
    });

    it('keeps projections, tenants and look-alikes apart', async () => {
      const { aggregateId } = newStream();
      const streams: StreamId[] = [
        { aggregateType: 'user', aggregateId },
        { aggregateType: 'user', aggregateId, tenantId: 'a' },
        { aggregateType: 'user', aggregateId, tenantId: 'b' },
        { aggregateType: 'user#x', aggregateId },
        { aggregateType: 'user', aggregateId: `x#${aggregateId}` },
      ];
      for (const [index, stream] of streams.entries()) {
        await move('p', stream, index + 1);
        await move('q#p', stream, index + 11);
      }
      expect(await bookkeeping.positionsOf('p', streams)).toEqual([1, 2, 3, 4, 5]);
      expect(await bookkeeping.positionsOf('q#p', streams)).toEqual([11, 12, 13, 14, 15]);
      expect(await bookkeeping.positionsOf('q', streams)).toEqual([0, 0, 0, 0, 0]);
    });
  });
}
