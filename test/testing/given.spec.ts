import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { IsInt } from 'class-validator';
import {
  Aggregate,
  AggregateRegistrationError,
  AggregateRoot,
  AggregateUnusableError,
  CommitTooLargeError,
  ConcurrencyError,
  EventRegistrationError,
  EventType,
  InvalidCommitError,
  InvalidEventError,
  InvalidStreamIdError,
  MissingApplierError,
  On,
  UniqueConstraintError,
  UnserializableEventError,
} from '../../src/index.js';
import { given, ScenarioFailedError } from '../../src/testing/index.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';

const opened = new AccountOpened('Ada');

/** The message of the failure that a wrong expectation ends in. */
function failure(assertion: () => unknown): string {
  try {
    assertion();
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioFailedError);
    expect(error).toBeInstanceOf(Error);
    return (error as Error).message;
  }
  throw new Error('The assertion passed.');
}

describe('given, when, then', () => {
  it('passes when exactly the expected events were decided on', () => {
    given(Account, 'a-1', [opened])
      .when((account) => account.deposit(5))
      .then([new MoneyDeposited(5, 'EUR')]);
    given(Account, 'a-1', [opened, new MoneyDeposited(5)])
      .when((account) => {
        account.withdraw(2);
        account.withdraw(3);
      })
      .then([new MoneyWithdrawn(2), new MoneyWithdrawn(3)]);
  });

  it.each<[string, object[]]>([
    ['another value', [new MoneyDeposited(6)]],
    ['another class with the same fields', [{ amount: 5, currency: 'EUR' }]],
    ['one too many', [new MoneyDeposited(5), new MoneyDeposited(5)]],
    ['none', []],
    ['-0 for 0', [new MoneyDeposited(-0)]],
  ])('fails at once for %s', (what, expected) => {
    const amount = what.startsWith('-0') ? 0 : 5;
    const outcome = given(Account, 'a-1', [opened]).when((account) => account.deposit(amount));
    expect(() => outcome.then(expected)).toThrow(ScenarioFailedError);
  });

  it('fails for the right events in another order', () => {
    const outcome = given(Account, 'a-1', [opened]).when((account) => {
      account.deposit(1);
      account.deposit(2);
    });
    expect(() => outcome.then([new MoneyDeposited(2), new MoneyDeposited(1)])).toThrow(ScenarioFailedError);
  });

  it('shows a line for each event, with what was expected and what was there', () => {
    const outcome = given(Account, 'a-1', [opened]).when((account) => {
      account.deposit(1);
      account.deposit(6);
      account.withdraw(2);
    });
    const expected = [new MoneyDeposited(1), new MoneyDeposited(5), new MoneyWithdrawn(2), { amount: 'x\ny' }];
    expect(failure(() => outcome.then(expected))).toBe(
      [
        'Expected 4 events, and there were other events (- expected, + actual):',
        "  test.MoneyDeposited MoneyDeposited { amount: 1, currency: 'EUR' }",
        "- test.MoneyDeposited MoneyDeposited { amount: 5, currency: 'EUR' }",
        "+ test.MoneyDeposited MoneyDeposited { amount: 6, currency: 'EUR' }",
        '  test.MoneyWithdrawn MoneyWithdrawn { amount: 2 }',
        "- { amount: 'x\\ny' } (no event class)",
      ].join('\n'),
    );
  });

  it('says so when events look the same and are of two classes', () => {
    class Other {
      constructor(readonly amount: number) {}
    }
    EventType('test.MoneyWithdrawn')(Other);
    Object.defineProperty(Other, 'name', { value: 'MoneyWithdrawn' });
    const outcome = given(Account, 'a-1', [opened, new MoneyDeposited(5)]).when((account) => account.withdraw(5));
    expect(failure(() => outcome.then([new Other(5)]))).toContain('look the same and are not');
  });

  it('starts from the same history with each when', () => {
    const account = given(Account, 'a-1', [opened, new MoneyDeposited(5)]);
    account.when((book) => book.withdraw(5)).thenState({ balance: 0 });
    account.when((book) => book.withdraw(4)).thenState({ balance: 1 });
  });

  it('takes the events of a new aggregate that the callback returns', () => {
    given(Account, 'a-1')
      .when(() => Account.open('a-1', 'Ada'))
      .then([opened])
      .thenState({ id: 'a-1', owner: 'Ada', version: 1 });
    given(Account, 'a-1')
      .when((account) => account.deposit(5))
      .then([new MoneyDeposited(5)]);
  });

  it('counts the events of both, when the callback returns another aggregate', () => {
    const outcome = given(Account, 'a-1', [opened]).when((account) => {
      account.deposit(5);
      return Account.open('a-2', 'Bob');
    });
    outcome.then([new MoneyDeposited(5), new AccountOpened('Bob')]).thenState({ id: 'a-2', owner: 'Bob', balance: 0 });
  });

  it('takes a new aggregate under a stored id for the conflict that it would be', () => {
    given(Account, 'a-1', [opened])
      .when(() => Account.open('a-1', 'Bob'))
      .thenThrows(ConcurrencyError)
      .thenState({ owner: 'Ada' });
  });

  it('knows nothing', () => {
    given(Account, 'a-1', [opened])
      .when(() => {})
      .thenNothing();
    const outcome = given(Account, 'a-1', [opened]).when((account) => account.deposit(5));
    expect(failure(() => outcome.thenNothing())).toContain('+ test.MoneyDeposited');
  });

  it('refuses what is no list of events, instead of passing', () => {
    const outcome = given(Account, 'a-1', [opened]).when((account) => account.deposit(5));
    for (const slip of [new MoneyDeposited(5), undefined, null, 'x']) {
      expect(() => outcome.then(slip as never)).toThrow(TypeError);
    }
  });
});

describe('thenThrows', () => {
  const outcome = () => given(Account, 'a-1', [opened]).when((account) => account.withdraw(5));

  it.each<[string, never]>([
    ['the class', RangeError as never],
    ['a base class', Error as never],
    ['a part of the message', 'Not enough' as never],
    ['a pattern', /^not enough/i as never],
    ['a predicate', ((error: Error) => error.message === 'Not enough money.') as never],
  ])('passes for %s', (_, expected) => {
    outcome().thenThrows(expected).thenNothing().thenState({ balance: 0 });
  });

  it.each<[string, never]>([
    ['another class', TypeError as never],
    ['another message', 'Too much' as never],
    ['another pattern', /^enough/ as never],
    ['a predicate that says no', (() => false) as never],
    ['a class of another library', class Other {} as never],
  ])('fails for %s, and says what was thrown', (_, expected) => {
    expect(failure(() => outcome().thenThrows(expected))).toContain('RangeError: Not enough money');
  });

  it('fails when nothing was thrown, and shows the events', () => {
    const fine = given(Account, 'a-1', [opened]).when((account) => account.deposit(5));
    expect(failure(() => fine.thenThrows(RangeError))).toMatch(/RangeError.*nothing was.*\n\+ test\.MoneyDeposited/);
  });

  it('refuses expectations that would always pass', () => {
    expect(() => outcome().thenThrows(undefined as never)).toThrow(TypeError);
    expect(() => outcome().thenThrows((async () => false) as never)).toThrow(TypeError);
  });

  it('lets no error pass unnoticed', () => {
    for (const assertion of [
      () => outcome().then([new MoneyWithdrawn(5)]),
      () => outcome().thenNothing(),
      () => outcome().thenState({ balance: 0 }),
    ]) {
      expect(failure(assertion)).toContain('RangeError: Not enough money was thrown');
    }
    expect(() => outcome().thenNothing()).toThrow(
      expect.objectContaining({ cause: expect.any(RangeError) }) as unknown as Error,
    );
  });

  it('takes anything that is thrown', () => {
    given(Account, 'a-1')
      .when(() => {
        throw undefined;
      })
      .thenThrows((error) => error === undefined);
  });
});

describe('thenState', () => {
  const outcome = () => given(Account, 'a-1', [opened]).when((account) => account.deposit(5));

  it('compares some fields, or hands over the aggregate', () => {
    outcome()
      .thenState({ balance: 5 })
      .thenState((account) => expect(account.owner).toBe('Ada'))
      .thenState((account) => account.version === 2);
  });

  it('fails for another value, and shows it', () => {
    expect(failure(() => outcome().thenState({ owner: 'Ada', balance: 6 }))).toMatch(/\n- balance: 6\n\+ balance: 5$/);
    expect(failure(() => outcome().thenState((account) => account.balance === 6))).toContain('returned false');
    expect(() => outcome().thenState((account) => expect(account.balance).toBe(6))).toThrow('toBe');
  });

  it('sees what the next command will see, and nothing that was changed beside the appliers', () => {
    const careless = given(Account, 'a-1', [opened]).when((account) => {
      account.deposit(5);
      account.owner = 'Bob';
    });
    careless.thenState({ owner: 'Ada', balance: 5 });
  });

  it('waits for an asynchronous look', async () => {
    await outcome()
      .thenState(async (account) => account.balance === 5)
      .then([new MoneyDeposited(5)]);
    await expect(outcome().thenState(async (account) => account.balance === 6)).rejects.toThrow(ScenarioFailedError);
  });
});

describe('an asynchronous when', () => {
  const later = () =>
    given(Account, 'a-1', [opened]).when(async (account) => {
      await Promise.resolve();
      account.deposit(5);
    });

  it('is awaited at the end of the chain', async () => {
    await later()
      .then([new MoneyDeposited(5)])
      .thenState({ balance: 5 });
    await given(Account, 'a-1')
      .when(async () => Account.open('a-1', 'Ada'))
      .then([opened]);
    await given(Account, 'a-1')
      .when(async (account) => account.withdraw(5))
      .thenThrows(RangeError)
      .thenState({ balance: 0 });
  });

  it('fails by rejecting, whichever link of the chain is wrong', async () => {
    await expect(later().then([]).thenState({ balance: 5 })).rejects.toThrow(ScenarioFailedError);
    await expect(
      later()
        .then([new MoneyDeposited(5)])
        .thenState({ balance: 6 }),
    ).rejects.toThrow('- balance: 6');
    await expect(later().thenThrows(RangeError)).rejects.toThrow('nothing was');
    const error = await later()
      .thenNothing()
      .then(null, (caught: unknown) => caught);
    expect(error).toMatchObject({ stack: expect.stringContaining('given.spec') });
  });
});

describe('await, which calls then with two functions', () => {
  it('settles when there is nothing to wait for, with or without assertions', async () => {
    const outcome = given(Account, 'a-1', [opened]).when((account) => account.deposit(5));
    expect(await outcome).toBeUndefined();
    expect(await outcome.then([new MoneyDeposited(5)])).toBeUndefined();
    expect(await Promise.all([outcome, outcome])).toEqual([undefined, undefined]);
    expect(await (async () => outcome)()).toBeUndefined();
  });

  it('ends with the error that nobody has asserted', async () => {
    for (const decide of [(account: Account) => account.withdraw(5), async (account: Account) => account.withdraw(5)]) {
      const outcome = given(Account, 'a-1', [opened]).when(decide);
      await expect(outcome).rejects.toThrow(RangeError);
      await expect(outcome.thenThrows(RangeError)).resolves.toBeUndefined();
    }
  });

  it('hands its result to the functions', async () => {
    const outcome = given(Account, 'a-1', [opened]).when((account) => account.deposit(5));
    expect(await outcome.then(() => 'fine')).toBe('fine');
    const wrong = given(Account, 'a-1')
      .when(async () => {})
      .thenThrows(Error);
    expect(await wrong.then(null, (error: unknown) => (error as Error).name)).toBe('ScenarioFailedError');
  });

  it('leaves an unhandled rejection when it is forgotten and an assertion fails', async () => {
    const folder = await mkdtemp(join(process.cwd(), '.build', 'forgotten-'));
    try {
      const file = join(folder, 'forgotten.mjs');
      await writeFile(
        file,
        `import { Aggregate, AggregateRoot } from 'nestjs-dynamodb-event-store';
         import { given } from 'nestjs-dynamodb-event-store/testing';
         class Empty extends AggregateRoot {}
         Aggregate('empty')(Empty);
         given(Empty, 'e-1').when(async () => {}).thenThrows(RangeError);`,
      );
      const run = promisify(execFile)(process.execPath, [file]);
      await expect(run).rejects.toThrow(/ScenarioFailedError: Expected RangeError to be thrown/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

@EventType('kit.Noted')
class Noted {
  constructor(readonly note: unknown) {}
}

@EventType('kit.Unlisted')
class Unlisted {}

@EventType('kit.Counted')
class Counted {
  @IsInt() readonly count: number;

  constructor(count: number) {
    this.count = count;
  }
}

class Decimal {
  constructor(readonly text: string) {}
}

@Aggregate('kit-notebook')
class Notebook extends AggregateRoot {
  notes: unknown[] = [];
  total = 0;

  note(note: unknown): void {
    this.apply(new Noted(note));
  }

  count(count: number): void {
    this.apply(new Counted(count));
  }

  @On(Noted) protected onNoted({ note }: Noted): void {
    this.notes.push(note);
  }

  @On(Counted) protected onCounted({ count }: Counted): void {
    if (count > 1000) throw new RangeError('Too much.');
    this.total += count;
  }

  onUnlisted(): void {}
}

describe('a test fails where the application would', () => {
  const notebook = given(Notebook, 'n-1');

  it('for an event that breaks its class-validator rules', () => {
    notebook.when((book) => book.count(1.5)).thenThrows(InvalidEventError);
    expect(failure(() => notebook.when((book) => book.count(1.5)).then([new Counted(1.5)]))).toContain('count (isInt)');
  });

  it('for a value that would not come back', () => {
    notebook.when((book) => book.note(() => {})).thenThrows(UnserializableEventError);
    expect(failure(() => notebook.when((book) => book.note(Number.NaN)).then([new Noted(Number.NaN)]))).toContain(
      '$.note',
    );
    expect(() => given(Notebook, 'n-1', [new Noted(Number.NaN)])).toThrow(UnserializableEventError);
  });

  it('for an event that is not registered, or that no applier takes', () => {
    notebook.when((book) => book.apply(new Unlisted())).thenThrows(EventRegistrationError);
    notebook.when((book) => book.apply(opened)).thenThrows(MissingApplierError);
    expect(() => given(Notebook, 'n-1', [opened])).toThrow(EventRegistrationError);
  });

  it('for more events than one commit takes', () => {
    const notes = (count: number) => (book: Notebook) => Array.from({ length: count }, () => book.note(1));
    notebook.when(notes(100)).thenState({ version: 100 });
    notebook.when(notes(101)).thenThrows(CommitTooLargeError);
    notebook.when((book) => book.note(randomText(450_000))).thenThrows(CommitTooLargeError);
  });

  it('for a unique value that is changed without an event, or is no text', () => {
    const account = given(Account, 'a-1', [opened]);
    account.when((book) => book.reserve('alias', 'ada')).thenThrows(InvalidCommitError);
    account.when((book) => book.release('alias', 'ada')).thenThrows(InvalidCommitError);
    for (const value of ['', 5]) {
      const reserving = (book: Account) => {
        book.deposit(5);
        book.reserve('alias', value as string);
      };
      account.when(reserving).thenThrows(InvalidEventError);
    }
  });

  it('for a unique value that two aggregates of a command want, and for no other', () => {
    const account = given(Account, 'a-1', [opened]);
    const taking = (book: Account) => {
      book.deposit(5);
      book.reserve('alias', 'ada');
      return book;
    };
    account.when(taking).then([new MoneyDeposited(5)]);
    account
      .when((book) => {
        taking(book);
        return taking(Account.open('b-1', 'Ben'));
      })
      .thenThrows(UniqueConstraintError);
  });

  it('for an aggregate that goes on after its applier threw', () => {
    notebook
      .when((book) => {
        book.count(1);
        try {
          book.count(2000);
        } catch {}
      })
      .thenThrows(AggregateUnusableError);
  });

  it('for a class that is no aggregate, and an id that is no key', () => {
    expect(() => given(class Plain extends AggregateRoot {}, 'p-1')).toThrow(AggregateRegistrationError);
    expect(() => given(Notebook, '')).toThrow(InvalidStreamIdError);
  });

  it('and takes history from before the rules', () => {
    given(Notebook, 'n-1', [new Counted(1.5)])
      .when((book) => book.count(1))
      .thenState({ total: 2.5 });
  });

  it('and shows history, events and state as they come back from the store', () => {
    const date = new Date(0);
    const note = { date, map: new Map([['a', 1n]]) };
    const history = new Noted(note);
    const notes = given(Notebook, 'n-1', [history]);
    notes
      .when((book) => expect(book.notes[0]).not.toBe(note))
      .thenNothing()
      .thenState({ notes: [{ date, map: new Map([['a', 1n]]) }] });
    date.setTime(1);
    notes.when(() => {}).thenState({ notes: [{ date: new Date(0), map: new Map([['a', 1n]]) }] });
  });

  it('and knows the value types of the application', () => {
    const decimal = {
      name: 'decimal',
      type: Decimal,
      write: ({ text }: Decimal) => text,
      read: (text: unknown) => new Decimal(text as string),
    };
    given(Notebook, 'n-1', [new Noted(new Decimal('1'))], { valueTypes: [decimal] })
      .when((book) => book.note(new Decimal('2')))
      .then([new Noted(new Decimal('2'))])
      .thenState({ notes: [new Decimal('1'), new Decimal('2')] });
    notebook.when((book) => book.note(new Decimal('2'))).thenThrows(UnserializableEventError);
  });
});

/** Incompressible, as sizes count after compression. */
function randomText(length: number): string {
  let seed = 1;
  return Array.from({ length }, () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return String.fromCharCode(0x4e00 + (seed % 20_000));
  }).join('');
}
