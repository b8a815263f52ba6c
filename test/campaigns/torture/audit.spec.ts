import { describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '../../../src/index.js';
import { Deposited, Opened, streamOf, Withdrawn, type AccountEvent } from './account.js';
import { Audit } from './audit.js';
import { BookingPlan } from './booking-plan.js';
import type { EndedBooking } from './ended-booking.js';
import { Ledger } from './ledger.js';

/** Account 1 is opened by command 0; command 1 transfers from it to account 2 in two events. */
class TwoCommands extends BookingPlan {
  private readonly bookings = [
    { number: 0, manner: 'open', entries: [{ account: 1, changes: [100] }] },
    {
      number: 1,
      manner: 'in-order',
      entries: [
        { account: 1, changes: [-30] },
        { account: 2, changes: [10, 20] },
      ],
    },
  ] as const;

  constructor() {
    super({ seed: 1, commands: 2, accounts: 3, hot: 0 });
  }

  override booking(number: number) {
    return this.bookings[number]!;
  }
}

type Stored = readonly [commitId: string, event: AccountEvent, more?: Partial<RecordedEvent>];

const OPENED: Stored = ['c-0', new Opened(0, 0, 100)];
const TAKEN: Stored = ['c-1', new Withdrawn(1, 0, 30)];
const GIVEN: readonly Stored[] = [
  ['c-1', new Opened(1, 0, 10)],
  ['c-1', new Deposited(1, 1, 20)],
];

describe('the audit of a torture', () => {
  it('finds nothing where each command is stored once and whole', async () => {
    expect(await violations([OPENED, TAKEN], GIVEN)).toEqual([]);
  });

  it('finds an acknowledged command that is missing, or stored in part', async () => {
    expect(await violations([OPENED], [])).toEqual(['Command 1 is acknowledged, and 0 of its 3 events are stored.']);
    expect(await violations([OPENED], GIVEN)).toEqual(['Command 1 is acknowledged, and 2 of its 3 events are stored.']);
  });

  it('finds a command that is stored again, under another commit', async () => {
    const again = GIVEN.map(([, { booking, part, amount }]): Stored => ['c-2', new Deposited(booking, part, amount)]);
    const found = await violations([OPENED, TAKEN, ['c-2', TAKEN[1]]], [...GIVEN, ...again]);
    expect(found).toContain('Account 1, version 3: event 0 of command 1 is stored again.');
    expect(found).toContain('Account 2, version 4: event 1 of command 1 is stored again.');
  });

  it('finds a refused command that is stored', async () => {
    const refused: EndedBooking = { number: 1, outcome: 'refused', reason: 'ConcurrencyError' };
    expect(await violations([OPENED, TAKEN], GIVEN, refused)).toEqual([
      'Command 1 is refused, and 3 of its 3 events are stored.',
    ]);
    expect(await violations([OPENED], [], refused)).toEqual([]);
  });

  it('finds an unknown command that is stored in part, and takes it whole or not at all', async () => {
    expect(await violations([OPENED, TAKEN], GIVEN, unknown('undecided'))).toEqual([]);
    expect(await violations([OPENED], [], unknown('undecided'))).toEqual([]);
    expect(await violations([OPENED, TAKEN], [], unknown('undecided'))).toEqual([
      'Command 1 is unknown, and 1 of its 3 events are stored.',
    ]);
  });

  it('finds that outcomeOf was wrong', async () => {
    const notStored = unknown('not-stored');
    expect(await violations([OPENED, TAKEN], GIVEN, notStored, ({ settled }) => settled('stored'))).toEqual([
      'Command 1: outcomeOf said not-stored at once, and it is stored.',
    ]);
    expect(await violations([OPENED], [], unknown('stored'), ({ settled }) => settled('stored'))).toEqual([
      'Command 1: outcomeOf said stored at the end, and it is not stored.',
      'Command 1: outcomeOf said stored at once, and it is not stored.',
    ]);
  });

  it('finds a command under two commits, and two commands under one', async () => {
    expect(await violations([OPENED, ['c-9', TAKEN[1]]], GIVEN)).toContain(
      'Command 1 is stored under the commits c-9 and c-1.',
    );
    expect(await violations([['c-1', OPENED[1]], TAKEN], GIVEN)).toEqual(['The commands 0 and 1 share commit c-1.']);
  });

  it('finds gaps, times that stand still, repeated ids, and events that no command has', async () => {
    const found = await violations(
      [OPENED, [...TAKEN.slice(0, 2), { version: 3, eventTime: new Date(1), eventId: '1#1' }] as never],
      [GIVEN[0]!, ['c-1', new Deposited(1, 1, 21)], ['c-1', new Withdrawn(1, 2, 90)]],
    );
    expect(found).toEqual(
      expect.arrayContaining([
        'Account 1, version 2: its event says version 3.',
        'Account 1, version 2: its time is not later than that of the event before.',
        'Account 1, version 2: its eventId 1#1 is that of another event.',
        'Account 2, version 2: command 1 has no event 1 of 21.',
        'Account 2, version 3: command 1 has no event 2 of -90.',
        'Account 2, version 3: the balance is -59.',
      ]),
    );
  });

  it('finds a loaded state that is not what the events add up to', async () => {
    const audit = new Audit(new TwoCommands(), new Ledger(2));
    const statement = await audit.account(1, recorded(1, [OPENED, TAKEN]));
    audit.loaded(1, statement, statement);
    expect(audit.violations).toEqual([]);
    audit.loaded(1, statement, { ...statement, state: { ...statement.state, balance: 71 } });
    audit.loaded(1, statement, { ...statement, version: 1 });
    expect(audit.violations).toHaveLength(2);
  });
});

function unknown(askedAtOnce: 'stored' | 'not-stored' | 'undecided'): EndedBooking {
  return { number: 1, outcome: 'unknown', unknown: { reference: { commitId: 'c-1', appends: [] }, askedAtOnce } };
}

/** @param second how command 1 ended; command 0 was acknowledged */
async function violations(
  first: readonly Stored[],
  other: readonly Stored[],
  second: EndedBooking = { number: 1, outcome: 'acknowledged' },
  ask: (audit: { settled(outcome: 'stored' | 'not-stored'): void }) => void = () => {},
): Promise<readonly string[]> {
  const ledger = new Ledger(2);
  ledger.enter({ number: 0, outcome: 'acknowledged' });
  ledger.enter(second);
  const audit = new Audit(new TwoCommands(), ledger);
  await audit.account(1, recorded(1, first));
  await audit.account(2, recorded(2, other));
  ask({ settled: (outcome) => audit.settled(1, outcome) });
  audit.commands();
  return [...ledger.violations, ...audit.violations];
}

async function* recorded(account: number, events: readonly Stored[]): AsyncIterable<RecordedEvent> {
  for (const [index, [commitId, event, more]] of events.entries()) {
    const version = index + 1;
    yield {
      stream: streamOf(account),
      version,
      eventId: `${account}#${version}`,
      eventType: event.constructor.name,
      schemaVersion: 1,
      eventTime: new Date(1_000 * version),
      event,
      metadata: {},
      commitId,
      ...more,
    };
  }
}
