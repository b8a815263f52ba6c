import type { ValueType } from '../../../src/index.js';

/** Classes of values for the fuzzer, registered with the store. */

export class Money {
  constructor(
    readonly cents: bigint,
    readonly currency: string,
  ) {}
}

/** Holds any value, and so any registered one. */
export class Box {
  constructor(readonly content: unknown) {}
}

const money: ValueType<Money> = {
  name: 'money',
  type: Money,
  write: ({ cents, currency }) => [cents, currency],
  read: (written) => new Money(...(written as [bigint, string])),
};

const box: ValueType<Box> = {
  name: 'a box, of "anything"',
  type: Box,
  write: ({ content }) => ({ content }),
  read: (written) => new Box((written as { content: unknown }).content),
};

export const VALUE_TYPES: readonly ValueType[] = [money, box] as readonly ValueType[];
