import { NumberValue } from '@aws-sdk/lib-dynamodb';
import { describe, expect, it } from '@jest/globals';
import { EventRegistry, On, Projection, TableWriteRefusedError, type ProjectionContext } from '../../src/index.js';
import { ProjectionTransaction } from '../../src/subscription/projection-transaction.js';
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

describe('a write', () => {
  const added = (Item: Record<string, unknown>): Record<string, unknown> => {
    const transaction = new ProjectionTransaction();
    transaction.put({ TableName: 'view', Item });
    const [write] = transaction.close() as readonly { Put: { Item: Record<string, unknown> } }[];
    return write!.Put.Item;
  };

  it('stays as it was added, whatever becomes of the values in it', () => {
    const bytes = new Uint8Array([1, 2, 3, 4]);
    const values = {
      map: { deep: [{ count: 1 }] },
      bare: Object.assign(Object.create(null) as { count: number }, { count: 1 }),
      list: [1, [2]],
      texts: new Set(['a']),
      names: new Map([['a', { count: 1 }]]),
      bytes,
      part: bytes.subarray(1, 3),
      buffer: Buffer.from('abc'),
      arrayBuffer: new Uint8Array([1, 2]).buffer,
      view: new DataView(bytes.buffer, 1, 2),
      manyBytes: new Set([new Uint8Array([1])]),
    };
    const item = added(values);
    values.map.deep[0]!.count = 9;
    values.map.deep.push({ count: 9 });
    values.bare.count = 9;
    (values.list[1] as number[])[0] = 9;
    values.texts.add('b');
    values.names.get('a')!.count = 9;
    values.names.set('b', { count: 9 });
    values.buffer.fill(9);
    new Uint8Array(values.arrayBuffer).fill(9);
    for (const each of values.manyBytes) each.fill(9);
    bytes.fill(9);
    Object.assign(values, { later: 1 });
    expect(item).toStrictEqual({
      map: { deep: [{ count: 1 }] },
      bare: Object.assign(Object.create(null) as object, { count: 1 }),
      list: [1, [2]],
      texts: new Set(['a']),
      names: new Map([['a', { count: 1 }]]),
      bytes: new Uint8Array([1, 2, 3, 4]),
      part: new Uint8Array([2, 3]),
      buffer: Buffer.from('abc'),
      arrayBuffer: new Uint8Array([1, 2]).buffer,
      view: new DataView(new Uint8Array([2, 3]).buffer),
      manyBytes: new Set([new Uint8Array([1])]),
    });
  });

  it('keeps what the document client knows by its class, or refuses', () => {
    class Ledger extends Map<string, number> {}
    const values = {
      number: NumberValue.from('12345678901234567890'),
      numbers: new Set([NumberValue.from('1')]),
      at: new Date(0),
      ledger: new Ledger([['a', 1]]),
      none: undefined,
      nothing: null,
      large: 5n,
      run: () => {},
    };
    const item = added(values);
    for (const name of ['number', 'at', 'ledger', 'run'] as const) expect(item[name]).toBe(values[name]);
    expect([...(item.numbers as Set<unknown>)]).toEqual([...values.numbers]);
    expect([...(item.numbers as Set<unknown>)][0]).toBeInstanceOf(NumberValue);
    expect(item).toMatchObject({ none: undefined, nothing: null, large: 5n });
  });

  it('has fields of any name', () => {
    const hostile = JSON.parse('{"__proto__":{"a":1},"constructor":"b"}') as Record<string, unknown>;
    expect(Object.entries(added({ hostile }).hostile as object)).toEqual(Object.entries(hostile));
  });

  it('that cannot be copied is left to who refuses it', () => {
    const circle: Record<string, unknown> = {};
    Object.assign(circle, { one: circle, other: circle });
    expect(added({ circle })).toEqual({ circle });
    const unreadable = {
      get field(): never {
        throw new Error('unreadable');
      },
    };
    expect(added({ unreadable }).unreadable).toBe(unreadable);
  });
});
