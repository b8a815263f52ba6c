import { expect, it } from '@jest/globals';
import {
  Aggregate,
  AggregateRoot,
  EventRegistry,
  EventType,
  On,
  type Class,
  type ValueType,
} from 'nestjs-dynamodb-event-store';
import { given } from 'nestjs-dynamodb-event-store/testing';

/** What stored data of an event is read as: the samples of docs/evolution.md stand below. */
function read(eventClasses: readonly Class[], eventType: string, schemaVersion: number, data: object) {
  const registry = new EventRegistry().register(...eventClasses);
  const events = registry.decode({ eventType, schemaVersion, eventData: JSON.stringify(data) });
  return events.map((event) => [event.constructor.name, { ...event }]);
}

// Stored as `Deposited` until the type was renamed.
@EventType('bank.MoneyDeposited', { aliases: ['Deposited'] })
class MoneyDeposited {
  constructor(readonly cents: number) {}
}

// 1: { amount, branch } in euros   2: { amount, currency }   3: { cents, currency }
@EventType('bank.FeeCharged', {
  version: 3,
  upcast: {
    1: ({ amount }) => ({ amount, currency: 'EUR' }), // a field is added, another removed
    2: ({ amount, currency }) => ({ cents: Math.round(amount * 100), currency }), // renamed, with a new meaning
  },
})
class FeeCharged {
  constructor(
    readonly cents: number,
    readonly currency: string,
  ) {}
}

@EventType('bank.AddressChanged')
class AddressChanged {
  constructor(readonly address: string) {}
}

@EventType('bank.EmailChanged')
class EmailChanged {
  constructor(readonly email: string) {}
}

@EventType('bank.ContactChanged', {
  version: 2,
  upcast: { 1: ({ address, email }) => [new AddressChanged(address), new EmailChanged(email)] },
})
class ContactChanged {}

@EventType('bank.StatementPrinted', { version: 2, upcast: { 1: () => [] } })
class StatementPrinted {}

@Aggregate('customer', {
  ignores: [ContactChanged, StatementPrinted], // registered for what is stored, and written no more
  snapshotEvery: 100,
  snapshotVersion: 2, // 1: { contact: { address, email } }
  migrateSnapshot: ({ contact }, fromVersion) => (fromVersion === 1 ? contact : undefined),
})
class Customer extends AggregateRoot {
  address = '';
  email = '';

  @On(AddressChanged) protected onAddressChanged({ address }: AddressChanged): void {
    this.address = address;
  }

  @On(EmailChanged) protected onEmailChanged({ email }: EmailChanged): void {
    this.email = email;
  }
}

class Percentage {
  constructor(readonly basisPoints: number) {}
}

// First written as a number of percent, and as { bp } by now. Both are stored under the one name, so both are read.
const percentage: ValueType<Percentage> = {
  name: 'percentage',
  type: Percentage,
  write: ({ basisPoints }) => ({ bp: basisPoints }),
  read: (written) =>
    typeof written === 'number' ? new Percentage(written * 100) : new Percentage((written as { bp: number }).bp),
};

it('reads what was stored before', () => {
  expect(read([MoneyDeposited], 'Deposited', 1, { cents: 5 })).toEqual([['MoneyDeposited', { cents: 5 }]]);
  for (const [version, data] of [
    [1, { amount: 1.5, branch: 'x' }],
    [2, { amount: 1.5, currency: 'EUR' }],
    [3, { cents: 150, currency: 'EUR' }],
  ] as const) {
    expect(read([FeeCharged], 'bank.FeeCharged', version, data)).toEqual([
      ['FeeCharged', { cents: 150, currency: 'EUR' }],
    ]);
  }
  const contact = [ContactChanged, AddressChanged, EmailChanged];
  expect(read(contact, 'bank.ContactChanged', 1, { address: 'a', email: 'e' })).toEqual([
    ['AddressChanged', { address: 'a' }],
    ['EmailChanged', { email: 'e' }],
  ]);
  expect(read([StatementPrinted], 'bank.StatementPrinted', 1, { pages: 3 })).toEqual([]);
});

it('makes the state of a customer of them', () => {
  given(Customer, 'c-1', [new AddressChanged('Main Street'), new EmailChanged('ada@example.org')])
    .when(() => {})
    .thenState({ address: 'Main Street', email: 'ada@example.org' });
});

it('reads values as they were written before', () => {
  const { codec } = new EventRegistry({ valueTypes: [percentage] });
  expect(codec.decode('{"rate":{"$":"@percentage","v":2}}')).toEqual({ rate: new Percentage(200) });
  expect(codec.decode(codec.encode({ rate: new Percentage(25) }, 'rate'))).toEqual({ rate: new Percentage(25) });
});
