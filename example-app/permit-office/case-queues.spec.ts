import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { CaseQueues } from './case-queues.js';

describe('CaseQueues', () => {
  it('keeps the order of each case and runs different cases side by side, within the limit', async () => {
    const queues = new CaseQueues({ running: 3, held: 100 });
    const done: string[] = [];
    const busy = new Set<string>();
    let most = 0;

    for (let index = 0; index < 60; index++) {
      const caseId = `case-${index % 5}`;
      await queues.add(caseId, async () => {
        expect(busy.has(caseId)).toBe(false);
        busy.add(caseId);
        most = Math.max(most, busy.size);
        for (let turns = (index * 7) % 4; turns >= 0; turns--) await turn();
        busy.delete(caseId);
        done.push(`${caseId}: ${index}`);
      });
    }
    await queues.finish();

    expect(most).toBe(3);
    expect(done).toHaveLength(60);
    for (let caseNumber = 0; caseNumber < 5; caseNumber++) {
      const ofCase = done.filter((entry) => entry.startsWith(`case-${caseNumber}:`));
      expect(ofCase).toEqual(Array.from({ length: 12 }, (_, index) => `case-${caseNumber}: ${index * 5 + caseNumber}`));
    }
  });

  it('holds no more than it may: adding waits until there is room', async () => {
    const queues = new CaseQueues({ running: 2, held: 4 });
    let added = 0;
    let finished = 0;

    for (; added < 50; added++) {
      expect(added - finished).toBeLessThan(4);
      await queues.add('one busy case', async () => {
        await turn();
        finished++;
      });
    }
    await queues.finish();

    expect(finished).toBe(50);
  });

  it('starts nothing more after a failure, and throws it when what was running has ended', async () => {
    const queues = new CaseQueues({ running: 2, held: 10 });
    const ran: string[] = [];
    await queues.add('a', async () => {
      await turn();
      throw new Error('down');
    });
    await queues.add('a', async () => void ran.push('a, second'));
    await queues.add('b', async () => {
      await turn();
      await turn();
      ran.push('b');
    });
    await queues.add('c', async () => void ran.push('c'));

    await expect(queues.finish()).rejects.toThrow('down');

    expect(ran).toEqual(['b']);
    await expect(queues.add('d', async () => void ran.push('d'))).rejects.toThrow('down');
    expect(ran).toEqual(['b']);
  });
});
