import { expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { PermitStatisticsDatabase } from './permit-statistics.database.js';
import { StepCount } from './permit-statistics.tables.js';

it('runs transactions that come at once one after the other, and undoes only those that fail', async () => {
  const dataSource = new DataSource({ type: 'sqljs', entities: [StepCount], synchronize: true });
  await dataSource.initialize();
  const database = new PermitStatisticsDatabase(dataSource);

  const ended = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) =>
      database.transaction(async (manager) => {
        const found = await manager.findOneBy(StepCount, { step: 'Begin' });
        await manager.save(StepCount, { step: 'Begin', times: (found?.times ?? 0) + 1 });
        if (index % 5 === 4) throw new Error('Broken.');
      }),
    ),
  );

  expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(4);
  expect(await dataSource.manager.find(StepCount)).toEqual([{ step: 'Begin', times: 16 }]);
  await dataSource.destroy();
});
