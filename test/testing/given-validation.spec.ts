import { describe, it } from '@jest/globals';
import { IsString } from 'class-validator';
import { Aggregate, AggregateRoot, EventType, InvalidEventError, On } from '../../src/index.js';
import { given } from '../../src/testing/index.js';

@EventType('given-validation.Named')
class Named {
  @IsString() readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

@Aggregate('given-validation')
class Person extends AggregateRoot {
  name = '';

  rename(name: string): void {
    this.apply(new Named(name));
  }

  /** Would fail with a TypeError for what is no text. */
  @On(Named) protected renamed({ name }: Named): void {
    this.name = name.trim();
  }
}

// A file of its own, as the rules are loaded once in a process: only its first scenario can tell that they are in time.
describe('the first scenario of a process', () => {
  it('holds an event to its class-validator rules before it is applied', () => {
    given(Person, 'p-1')
      .when((person) => person.rename(5 as never))
      .thenThrows(InvalidEventError);
  });

  it('does not hold history to them', () => {
    const old = Object.assign(Object.create(Named.prototype) as Named, { name: ' Ada ', since: 5 });
    given(Person, 'p-1', [old])
      .when((person) => person.rename('Bob'))
      .then([new Named('Bob')]);
  });
});
