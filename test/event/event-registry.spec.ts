import { describe, expect, it } from '@jest/globals';
import { Type } from 'class-transformer';
import { IsInstance, IsInt, IsString, Min, ValidateNested } from 'class-validator';
import {
  EventRegistrationError,
  EventRegistry,
  EventType,
  InvalidEventError,
  UnknownEventTypeError,
} from '../../src/index.js';

@EventType('registry.Deposited', {
  version: 3,
  aliases: ['registry.PaidIn'],
  upcast: {
    1: ({ amount }: { amount: number }) => ({ cents: amount * 100 }),
    2: (data: { cents: number }) => ({ ...data, currency: 'EUR' }),
  },
})
class Deposited {
  static constructed = 0;

  constructor(
    readonly cents: number,
    readonly currency: string,
  ) {
    Deposited.constructed++;
  }
}

@EventType('registry.PaidIn')
class PaidInBefore {
  constructor(readonly amount: number) {}
}

describe('the event registry', () => {
  const registry = new EventRegistry().register(Deposited);

  it('makes instances again without calling the constructor', () => {
    const encoded = registry.encode(new Deposited(5, 'USD'));
    const before = Deposited.constructed;
    const [event] = registry.decode(encoded);
    expect(event).toBeInstanceOf(Deposited);
    expect(event).toEqual({ cents: 5, currency: 'USD' });
    expect(Deposited.constructed).toBe(before);
  });

  it('reads an old name and runs the upcast steps in their order', () => {
    const encoded = new EventRegistry().register(PaidInBefore).encode(new PaidInBefore(7));
    expect(encoded).toMatchObject({ eventType: 'registry.PaidIn', schemaVersion: 1 });
    const [event] = registry.decode(encoded);
    expect(event).toBeInstanceOf(Deposited);
    expect({ ...event }).toEqual({ cents: 700, currency: 'EUR' });
    const [fromSecond] = registry.decode({ eventType: 'registry.PaidIn', schemaVersion: 2, eventData: '{"cents":1}' });
    expect({ ...fromSecond }).toEqual({ cents: 1, currency: 'EUR' });
  });

  it('refuses an unknown type and a later schema version, naming the type', () => {
    expect(() => registry.decode({ eventType: 'registry.Gone', schemaVersion: 1, eventData: '{}' })).toThrow(
      expect.objectContaining({ name: 'UnknownEventTypeError', eventType: 'registry.Gone' }) as unknown as Error,
    );
    const later = { eventType: 'registry.Deposited', schemaVersion: 4, eventData: '{}' };
    expect(() => registry.decode(later)).toThrow(UnknownEventTypeError);
  });

  it('refuses two classes under one name or alias, naming both', () => {
    @EventType('registry.PaidIn')
    class Twin {}
    @EventType('registry.Other', { aliases: ['registry.Deposited'] })
    class AliasTwin {}
    for (const twin of [Twin, AliasTwin]) {
      expect(() => new EventRegistry().register(Deposited, twin)).toThrow(EventRegistrationError);
      expect(() => new EventRegistry().register(Deposited, twin)).toThrow(new RegExp(`Deposited and ${twin.name}`));
    }
  });

  it('belongs to one application: the same name is free in another', () => {
    @EventType('registry.Deposited')
    class Elsewhere {}
    expect(() => new EventRegistry().register(Elsewhere)).not.toThrow();
  });

  it('takes the same class twice, and no class without a durable name', () => {
    class Nameless {}
    expect(() => registry.register(Deposited)).not.toThrow();
    expect(() => registry.register(Nameless)).toThrow(/Nameless.*@EventType/);
    expect(() => registry.encode(new Nameless())).toThrow(/Nameless.*@EventType/);
  });

  it('does not take a subclass for its base', () => {
    class Special extends Deposited {}
    expect(() => registry.encode(new Special(1, 'EUR'))).toThrow(EventRegistrationError);
  });

  it.each([
    ['an empty name', () => EventType('')],
    ['an empty alias', () => EventType('a', { aliases: [''] })],
    ['version 0', () => EventType('a', { version: 0 })],
    ['a step from the current version on', () => EventType('a', { version: 2, upcast: { 2: (data) => data } })],
    ['a step from version 0', () => EventType('a', { version: 2, upcast: { 0: (data) => data } })],
  ])('@EventType refuses %s', (_, decorator) => {
    expect(() => decorator()(class Some {})).toThrow(EventRegistrationError);
  });

  it('refuses a class whose data cannot be seen from outside', () => {
    @EventType('registry.Secretive')
    class Secretive {
      #amount = 5;
      get amount(): number {
        return this.#amount;
      }
    }
    @EventType('registry.Heir')
    class Heir extends Secretive {}
    for (const hidden of [Secretive, Heir]) expect(() => new EventRegistry().register(hidden)).toThrow(/#private/);
  });

  it.each<[string, (data: object) => object]>([
    ['a promise', async (data) => data],
    ['a list', () => [1]],
    ['a text', () => 'text' as unknown as object],
    ['nothing', () => undefined as unknown as object],
  ])('refuses an upcast step that returns %s', (_, step) => {
    @EventType('registry.Stepped', { version: 2, upcast: { 1: step } })
    class Stepped {}
    const encoded = { eventType: 'registry.Stepped', schemaVersion: 1, eventData: '{"a":1}' };
    expect(() => new EventRegistry().register(Stepped).decode(encoded)).toThrow(/upcast step 1 of "registry.Stepped"/);
  });

  it('reads a stored field that has become a getter', () => {
    @EventType('registry.Priced')
    class Priced {
      readonly net!: number;
      get total(): number {
        return this.net * 2;
      }
    }
    const encoded = { eventType: 'registry.Priced', schemaVersion: 1, eventData: '{"net":2,"total":5}' };
    expect(new EventRegistry().register(Priced).decode(encoded)).toEqual([{ net: 2, total: 5 }]);
  });

  it('compresses what gains by it', () => {
    expect(typeof registry.encode(new Deposited(1, 'x'.repeat(900))).eventData).toBe('string');
    const long = registry.encode(new Deposited(1, 'x'.repeat(5000)));
    expect((long.eventData as Uint8Array).byteLength).toBeLessThan(100);
    expect(registry.decode(long)).toEqual([{ cents: 1, currency: 'x'.repeat(5000) }]);
  });

  it('calls damaged bytes damaged', () => {
    const eventData = new Uint8Array([1, 2, 3]);
    expect(() => registry.decode({ eventType: 'registry.Deposited', schemaVersion: 3, eventData })).toThrow('damaged');
  });
});

describe('validation of events', () => {
  class Line {
    @IsInt() @Min(1) readonly quantity!: number;
  }

  @EventType('registry.Ordered')
  class Ordered {
    @IsString() readonly customer: string;
    @ValidateNested({ each: true }) @Type(() => Line) readonly lines: readonly Line[];

    constructor(customer: string, lines: readonly Line[]) {
      this.customer = customer;
      this.lines = lines;
    }
  }

  const newRegistry = async () => {
    const registry = new EventRegistry().register(Ordered, Deposited);
    await registry.prepareValidation();
    return registry;
  };

  it('lists the properties and rules, and no value', async () => {
    const registry = await newRegistry();
    const bad = new Ordered(4111 as unknown as string, [{ quantity: 1 }, { quantity: 0 }]);
    expect(() => registry.encode(bad)).toThrow(InvalidEventError);
    expect(() => registry.encode(bad)).toThrow(
      expect.objectContaining({ violations: ['customer (isString)', 'lines.1.quantity (min)'] }) as unknown as Error,
    );
    expect(() => registry.encode(bad)).toThrow(/^((?!4111).)*$/s);
  });

  it('lets valid events pass, nested plain data and events without rules among them', async () => {
    const registry = await newRegistry();
    expect(registry.decode(registry.encode(new Ordered('ada', [{ quantity: 2 }])))).toEqual([
      { customer: 'ada', lines: [{ quantity: 2 }] },
    ]);
    expect(() => registry.encode(new Deposited(Number.MAX_VALUE, ''))).not.toThrow();
  });

  it('looks into Maps, at any depth, and names no key of them', async () => {
    class Shelf {
      @ValidateNested({ each: true }) @Type(() => Line) readonly byName!: ReadonlyMap<string, Line>;
    }
    @EventType('registry.Stocked')
    class Stocked {
      @IsInstance(Map)
      @ValidateNested({ each: true })
      @Type(() => Line)
      readonly lines: ReadonlyMap<unknown, Line>;
      @ValidateNested({ each: true }) @Type(() => Shelf) readonly shelves: readonly Shelf[];

      constructor(...quantities: readonly number[]) {
        this.lines = new Map(quantities.map((quantity, index) => [`ada-${index}@example.com`, { quantity }]));
        this.shelves = [{ byName: new Map(quantities.map((quantity, index) => [`ben-${index}`, { quantity }])) }];
      }
    }
    const registry = new EventRegistry().register(Stocked);
    await registry.prepareValidation();
    expect(() => registry.encode(new Stocked(1, 0))).toThrow(
      expect.objectContaining({
        violations: ['lines.1.quantity (min)', 'shelves.0.byName.1.quantity (min)'],
      }) as unknown as Error,
    );
    expect(registry.decode(registry.encode(new Stocked(1, 2)))).toEqual([new Stocked(1, 2)]);
  });
});
