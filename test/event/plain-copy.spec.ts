import { describe, expect, it } from '@jest/globals';
import { copyInstance } from '../../src/event/plain-copy.js';

class Amount {
  constructor(readonly parts: number[]) {}

  get sum(): number {
    return this.parts.reduce((sum, part) => sum + part, 0);
  }
}

class Secret {
  readonly #value = 5;

  get value(): number {
    return this.#value;
  }
}

class Order {
  readonly amount = new Amount([1, 2]);
  readonly again = this.amount;
  readonly lines = new Map([['first', new Set([new Amount([3])])]]);
  self: Order | undefined = this;
}

describe('a copy', () => {
  it.each([new Uint8Array([1, 2]), Buffer.from([1, 2])])('has bytes of its own, each once: %p', (bytes) => {
    const copy = copyInstance({ bytes, again: bytes });
    bytes[0] = 9;
    expect([...copy.bytes]).toEqual([1, 2]);
    expect(copy.again).toBe(copy.bytes);
    expect(Object.getPrototypeOf(copy.bytes)).toBe(Object.getPrototypeOf(bytes));
  });

  it('has instances of its own of the classes in it, each once', () => {
    const order = new Order();
    const copy = copyInstance(order);
    expect(copy).toEqual(order);
    expect(copy.self).toBe(copy);
    expect(copy.again).toBe(copy.amount);
    order.amount.parts.push(100);
    [...order.lines.get('first')!][0]!.parts.push(100);
    expect(copy.amount).toBeInstanceOf(Amount);
    expect(copy.amount.sum).toBe(3);
    expect([...copy.lines.get('first')!][0]!.sum).toBe(3);
  });

  it.each<[string, object]>([
    ['with private fields', new Secret()],
    ['with private fields in its class above', new (class Above extends Secret {})()],
    [
      'with functions',
      new (class Service {
        readonly run = () => {};
      })(),
    ],
    [
      'with something of these in it',
      new (class Holder {
        readonly inside = [new Secret()];
      })(),
    ],
    ['of a native class', new Uint16Array(2)],
    ['of a class above a native one', new (class Bytes extends Uint8Array {})(2)],
    [
      'with half of the application behind it',
      new Amount(Array.from({ length: 10_001 }, () => [] as unknown as number)),
    ],
  ])('shares an instance %s', (_, instance) => {
    expect(copyInstance({ instance }).instance).toBe(instance);
  });
});
