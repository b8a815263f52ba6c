import { types } from 'node:util';
import { IsInt, IsString } from 'class-validator';
import { EventType } from '../../../src/index.js';
import { transparent } from './photograph.js';

/** Events that carry a payload in each place where one can stand. */

@EventType('fuzz.Held')
class Held {
  constructor(readonly value: unknown) {}
}

@EventType('fuzz.Free')
class Free {}

@EventType('fuzz.Checked')
class Checked {
  @IsInt() readonly count: unknown;
  @IsString() readonly text: unknown;

  constructor(count: unknown, text: unknown) {
    this.count = count;
    this.text = text;
  }
}

export const EVENT_CLASSES = [Held, Free, Checked];

export const POSITIONS = {
  'in a field': (value: unknown) => new Held(value),
  'deeper in a field': (value: unknown) => new Held({ before: 1, inner: [{ value }, 'between'], after: value }),
  'as key and value of a map': (value: unknown) => new Held(new Map([[value, value]])),
  'as the fields of the event': (value: unknown) => withFieldsOf(value),
  'as a proxy of the event': (value: unknown) => transparent(new Held(value)),
  'checked as a number': (value: unknown) => new Checked(value, 'text'),
  'checked as text': (value: unknown) => new Checked(5, value),
} satisfies Record<string, (value: unknown) => object>;

export type Position = keyof typeof POSITIONS;

/** An event whose own properties are those of an object, getters and hidden ones included. */
function withFieldsOf(value: unknown): object {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return Object.assign(new Free(), { value });
  return Object.defineProperties(new Free(), Object.getOwnPropertyDescriptors(value));
}
