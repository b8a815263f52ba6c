import { expect, it } from '@jest/globals';
import { EventRegistry, On, Projection, TableWriteRefusedError, type ProjectionContext } from '../../src/index.js';
import { ProjectionMethods } from '../../src/subscription/projection-methods.js';
import { newWorld, streamOf } from '../contract/subscription-source-contract.js';
import { MoneyDeposited } from '../setup/bank.js';

let late: Promise<unknown> | undefined;

@Projection('forgetful')
class Forgetful {
  @On(MoneyDeposited) deposited(_: MoneyDeposited, { transaction }: ProjectionContext): void {
    late = new Promise(setImmediate).then(() => transaction.put({ TableName: 'view', Item: { id: 'a' } }));
    late.catch(() => {});
  }
}

it('refuses a write that comes when the method has returned, as nobody would store it', async () => {
  const methods = new ProjectionMethods(new Forgetful(), new EventRegistry().register(MoneyDeposited));
  expect(await methods.writesOf(newWorld().write(streamOf('a')))).toEqual([[]]);
  await expect(late).rejects.toThrow(TableWriteRefusedError);
  await expect(late).rejects.toThrow(/await all of its work/);
});
