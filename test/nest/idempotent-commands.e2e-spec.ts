import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { CommandBus, CommandHandler, ofType, Saga, type ICommand } from '@nestjs/cqrs';
import { map, type Observable } from 'rxjs';
import {
  AggregateRepository,
  CommandContext,
  CommitOutcomeUnknownError,
  DuplicateCommandError,
  EventStore,
  getAggregateRepositoryToken,
  Idempotent,
  InjectAggregateRepository,
  OwnUnitOfWork,
} from '../../src/index.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';
import { Account, AccountOpened, MoneyDeposited } from '../setup/bank.js';
import { until } from '../setup/until.js';

class Deposit {
  constructor(
    readonly id: string,
    readonly amount: number,
    readonly answer: unknown = { done: true },
    readonly work: (accounts: AggregateRepository<Account>) => Promise<void> = async () => {},
  ) {}
}

class DepositByKey extends Deposit {}
class DepositApart extends Deposit {}
/** Nest gives it to the handler of the class that it extends. */
class DepositByCard extends DepositByKey {}
class DepositBySaga {
  constructor(
    readonly id: string,
    readonly key: string,
  ) {}
}
class Look {
  constructor(readonly id: unknown) {}
}
class Outer {
  constructor(readonly id: string) {}
}
class OuterOfApart {
  constructor(readonly id: string) {}
}

let runs = 0;

@CommandHandler(Deposit)
class DepositHandler {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ id, amount, answer, work }: Deposit): Promise<unknown> {
    runs++;
    (await this.accounts.load(id)).deposit(amount);
    await work(this.accounts);
    return answer;
  }
}

@Idempotent<DepositByKey>(({ id, amount }) => (amount > 0 ? `${id}-${amount}` : undefined))
@OwnUnitOfWork()
@CommandHandler(DepositByKey)
class DepositByKeyHandler extends DepositHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }
}

@OwnUnitOfWork()
@CommandHandler(DepositApart)
class DepositApartHandler extends DepositHandler {
  constructor(@InjectAggregateRepository(Account) accounts: AggregateRepository<Account>) {
    super(accounts);
  }
}

@Idempotent<DepositBySaga>(({ key }) => key)
@CommandHandler(DepositBySaga)
class DepositBySagaHandler {
  constructor(@InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>) {}

  async execute({ id }: DepositBySaga): Promise<void> {
    (await this.accounts.load(id)).deposit(1);
  }
}

@CommandHandler(Look)
class LookHandler {
  async execute({ id }: Look): Promise<string> {
    return `${String(id)}-${runs++}`;
  }
}

@CommandHandler(Outer)
class OuterHandler {
  constructor(private readonly commands: CommandBus) {}

  async execute({ id }: Outer): Promise<void> {
    // Both run, though the context has one key: nested commands have none.
    await this.commands.execute(new Deposit(id, 2));
    await this.commands.execute(new Deposit(id, 2));
    await this.commands.execute(new DepositByKey(id, 3));
    await this.commands.execute(new DepositByKey(id, 3));
  }
}

@CommandHandler(OuterOfApart)
class OuterOfApartHandler {
  constructor(private readonly commands: CommandBus) {}

  async execute({ id }: OuterOfApart): Promise<void> {
    for (let time = 0; time < 2; time++) await this.commands.execute(new DepositApart(id, 10));
  }
}

class Bonus {
  @Saga() bonus(events$: Observable<object>): Observable<ICommand> {
    return events$.pipe(
      ofType(AccountOpened),
      map(() => new DepositBySaga('a', 'bonus')),
    );
  }
}

class Hidden {
  readonly #value: number;

  constructor(value: number) {
    this.#value = value;
  }

  protected get value(): number {
    return this.#value;
  }
}

class Shown extends Hidden {
  toJSON(): number {
    return this.value;
  }
}

/** As another module may have it. */
class OtherDeposit {}
Object.defineProperty(OtherDeposit, 'name', { value: 'Deposit' });

@CommandHandler(OtherDeposit)
class OtherDepositHandler {
  async execute(): Promise<void> {}
}

const HANDLERS = [
  DepositHandler,
  DepositByKeyHandler,
  DepositBySagaHandler,
  LookHandler,
  OuterHandler,
  DepositApartHandler,
  OuterOfApartHandler,
];

describe.each<Storage>(['memory', 'dynamodb'])('commands with an idempotency key (%s)', (storage) => {
  let application: Application;

  afterEach(() => application.close());

  async function start(...providers: (new (...args: never[]) => object)[]): Promise<void> {
    application = await startApplication(storage, { features: [Account], providers: [...HANDLERS, ...providers] });
    await accounts().save(Account.open('a', 'Ada'));
    runs = 0;
  }

  const accounts = () =>
    application.module.get<AggregateRepository<Account>>(getAggregateRepositoryToken(Account), { strict: false });
  const balance = async (id = 'a') => (await accounts().load(id)).balance;
  const execute = (command: object, idempotencyKey = 'k-1'): Promise<unknown> =>
    CommandContext.run({ idempotencyKey }, () => application.commands.execute(command));

  it('are carried out once, and a repeat gets the first result without its handler', async () => {
    await start();
    const answer = { at: new Date(5), list: [1n, undefined, -0] };
    expect(await execute(new Deposit('a', 5, answer))).toEqual(answer);
    const repeated = await execute(new Deposit('a', 5, answer));
    expect(repeated).toEqual(answer);
    expect([runs, await balance()]).toEqual([1, 5]);
    await execute(new Deposit('a', 5, answer), 'k-2');
    await application.commands.execute(new Deposit('a', 5, answer));
    await application.commands.execute(new Deposit('a', 5, answer));
    expect([runs, await balance()]).toEqual([4, 20]);
  });

  it('are those of a class that extends the command, whose handler they share', async () => {
    await start();
    for (let time = 0; time < 2; time++) await application.commands.execute(new DepositByCard('a', 5));
    await application.commands.execute(new DepositByCard('a', 6));
    expect([runs, await balance()]).toEqual([2, 11]);
  });

  it('cost one read more, and a repeat that read alone', async () => {
    await start();
    application.requests.splice(0);
    await execute(new Deposit('a', 5));
    const first = application.requests.splice(0);
    await execute(new Deposit('a', 5));
    await application.commands.execute(new Deposit('a', 5));
    if (storage === 'memory') return;
    expect(first).toEqual(['Query', 'Query', 'TransactWriteItems']);
    expect(application.requests).toEqual(['Query', 'Query', 'PutItem']);
  });

  it('are refused with another body, and are other commands with another class or tenant', async () => {
    await start();
    await execute(new Deposit('a', 5));
    const attempt = execute(new Deposit('a', 6));
    await expect(attempt).rejects.toThrow(DuplicateCommandError);
    await expect(attempt).rejects.toMatchObject({
      reason: 'other-body',
      idempotency: { key: 'k-1', command: 'Deposit' },
    });
    expect(await execute(new Look('a'))).toBe('a-1');
    expect(await execute(new Look('a'))).toBe('a-1');
    await CommandContext.run({ tenantId: 't' }, async () => {
      await accounts().save(Account.open('a', 'Ada'));
      await execute(new Deposit('a', 7));
      expect(await balance()).toBe(7);
    });
    expect(await balance()).toBe(5);
  });

  it('are refused to another user, who would see what the first one got', async () => {
    await start();
    const by = (userId: string) =>
      CommandContext.run({ userId, idempotencyKey: 'k-1' }, () => application.commands.execute(new Deposit('a', 5)));
    expect(await by('ada')).toEqual({ done: true });
    expect(await by('ada')).toEqual({ done: true });
    await expect(by('eve')).rejects.toMatchObject({ reason: 'other-body' });
    expect(runs).toBe(1);
  });

  it('are refused where their bodies, or their names, cannot be told apart', async () => {
    await start(OtherDepositHandler);
    await expect(execute(new Look(new Hidden(5)))).rejects.toThrow(/holds a Hidden, whose private fields .*toJSON/);
    expect(await execute(new Look(new Shown(5)))).toMatch('-0');
    await expect(execute(new Look(new Shown(6)))).rejects.toMatchObject({ reason: 'other-body' });
    await expect(execute(new Deposit('a', 5))).rejects.toThrow(/Several commands are named Deposit/);
    // Without a key it is nobody's concern.
    await application.commands.execute(new Deposit('a', 5));
    expect(await balance()).toBe(5);
  });

  it('may be sent again when they failed', async () => {
    await start();
    const failing = new Deposit('a', 5, undefined, async () => {
      if (runs === 1) throw new RangeError('Not today.');
    });
    await expect(execute(failing)).rejects.toThrow('Not today.');
    await execute(failing);
    await execute(failing);
    expect([runs, await balance()]).toEqual([2, 5]);
  });

  it('wait for each other where they come at once', async () => {
    await start();
    const answers = await Promise.all(Array.from({ length: 10 }, () => execute(new Deposit('a', 5, runs))));
    expect([runs, await balance(), new Set(answers).size]).toEqual([1, 5, 1]);
  });

  it('are carried out again when a lost race asks for it, and give the result of the run that was stored', async () => {
    await start();
    const racing = new Deposit('a', 5, undefined, async () => {
      if (runs === 1) await interloper();
    });
    const interloper = async () => {
      const other = new Account('a');
      for await (const { event } of application.module
        .get(EventStore, { strict: false })
        .read({ aggregateType: 'test-account', aggregateId: 'a' })) {
        other.apply(event, true);
      }
      await application.module
        .get(EventStore, { strict: false })
        .append({ aggregateType: 'test-account', aggregateId: 'a' }, [new MoneyDeposited(1)], { expectedVersion: 1 });
    };
    await execute(racing);
    await execute(racing);
    expect([runs, await balance()]).toEqual([2, 6]);
  });

  it('give the result of another process that was faster, also where the handler then fails', async () => {
    await start();
    const store = application.module.get(EventStore, { strict: false });
    const meanwhile = async (fingerprint: string) => {
      const idempotency = { command: 'Deposit', key: 'k-1', fingerprint, result: '{"result":"theirs"}' };
      await store.commit({ appends: [], idempotency: { ...idempotency, expiresAt: Date.now() + 60_000 } });
    };
    const ours = new Deposit('a', 5, 'ours', async () => {
      // The fingerprint of this very command is in the record of its first run under another key.
      if (runs === 2) await meanwhile(await fingerprintIn('k-0'));
    });
    const fingerprintIn = async (key: string) =>
      (await store.findIdempotencyRecord({ command: 'Deposit', key }))!.fingerprint;
    await execute(ours, 'k-0');
    expect(await execute(ours)).toBe('theirs');
    expect(await balance()).toBe(5);

    const failing = new Deposit('a', 6, 'ours', async () => {
      if (runs < 4) return;
      await store.commit({
        appends: [],
        idempotency: {
          command: 'Deposit',
          key: 'k-3',
          fingerprint: await fingerprintIn('k-2'),
          result: '{"result":"theirs"}',
          expiresAt: Date.now() + 60_000,
        },
      });
      throw new RangeError('The account was closed by the other one.');
    });
    await execute(failing, 'k-2');
    expect(await execute(failing, 'k-3')).toBe('theirs');
  });

  it('whose outcome is unknown are told in the log where they are stored, and not where another process was faster', async () => {
    await start();
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const store = application.module.get(EventStore, { strict: false });
    const commit = store.commit.bind(store);
    let stored = '';
    const unknown = jest.spyOn(store, 'commit').mockImplementation(async (given, ...rest) => {
      const { commitId } = await commit(given, ...rest);
      throw new CommitOutcomeUnknownError(stored || commitId, [], 'TimeoutError');
    });
    try {
      await execute(new Deposit('a', 5), 'k-1');
      expect(warn.mock.calls).toEqual([[expect.stringContaining('Deposit, whose answer was lost, is stored')]]);
      stored = 'of-another-process';
      await execute(new Deposit('a', 5), 'k-2');
      expect(warn.mock.calls).toHaveLength(1);
    } finally {
      unknown.mockRestore();
      warn.mockRestore();
    }
    expect(await balance()).toBe(10);
  });

  it('take the key of the handler before that of the context, and none when it gives none', async () => {
    await start();
    for (const key of ['k-1', 'k-2']) await execute(new DepositByKey('a', 5), key);
    for (let time = 0; time < 2; time++) await application.commands.execute(new DepositByKey('a', 5));
    expect([runs, await balance()]).toEqual([1, 5]);
    for (let time = 0; time < 2; time++)
      await expect(application.commands.execute(new DepositByKey('a', -5, time))).resolves.toBe(time);
  });

  it('have no key where it was taken away from the context', async () => {
    await start();
    await CommandContext.run({ idempotencyKey: 'k-1' }, async () => {
      for (let time = 0; time < 2; time++) {
        await CommandContext.run({ idempotencyKey: undefined }, () =>
          application.commands.execute(new Deposit('a', 5)),
        );
      }
      expect([runs, await balance()]).toEqual([2, 10]);
      for (let time = 0; time < 2; time++) await application.commands.execute(new Deposit('a', 5));
    });
    expect([runs, await balance()]).toEqual([3, 15]);
  });

  it('share their key with no command inside of them, nor with sagas', async () => {
    await start(Bonus);
    await execute(new Outer('a'));
    await execute(new Outer('a'));
    // One bonus came with the account.
    await until(async () => (await balance()) === 8);
    for (const id of ['b', 'c']) {
      await CommandContext.run({ idempotencyKey: 'k-1' }, () => accounts().save(Account.open(id, 'Ben')));
    }
    await execute(new Deposit('a', 1), 'k-9');
    expect(await balance()).toBe(9);
    for (let time = 0; time < 2; time++) await execute(new OuterOfApart('a'));
    expect(await balance()).toBe(29);
  });

  it('whose result cannot be kept say so to a repeat, and to the log', async () => {
    await start();
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const tooLarge = Array.from({ length: 9000 }, () => Math.random());
    try {
      for (const [key, answer] of [
        ['k-1', tooLarge],
        ['k-2', new Account('x')],
      ] as const) {
        expect(await execute(new Deposit('a', 5, answer), key)).toBe(answer);
        const attempt = execute(new Deposit('a', 5, answer), key);
        await expect(attempt).rejects.toThrow(DuplicateCommandError);
        await expect(attempt).rejects.toMatchObject({ reason: 'result-not-kept' });
      }
      expect(warn.mock.calls).toHaveLength(1);
    } finally {
      warn.mockRestore();
    }
    expect(await balance()).toBe(10);
  });

  it.each([
    ['a number', 5],
    ['an empty text', ''],
    ['a text of 256 characters', 'x'.repeat(256)],
  ])('refuse %s as a key before anything runs', async (_, key) => {
    await start();
    await expect(execute(new Deposit('a', 5), key as string)).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    expect(runs).toBe(0);
  });

  it('tell bodies apart by all that they hold, and not by the order of fields', async () => {
    await start();
    const bodies: unknown[] = [
      { a: 1, b: 2 }, { a: 1 }, { a: 1, b: '2' }, { a: [1, 2] }, { a: [[1], 2] }, { a: 'x' }, { a: new Date(1) }, { a: 1n }, { a: -0 }, { a: 0 },
      { a: new Map([[1, 2]]) }, { a: new Set([1]) }, { a: Buffer.from('x') }, { a: null }, {}, { a: true }, { a: '[1,2]' },
      { a: new URL('http://a') },
      { a: new URL('http://b') },
      { a: /a/ },
      { a: /b/ },
      { a: new RangeError('a') }, { 'a":1,"b': 2 },
    ]; // prettier-ignore
    for (const [index, body] of bodies.entries()) await execute(new Look(body), `k-${index}`);
    expect(runs).toBe(bodies.length);
    for (const [index, body] of bodies.entries()) {
      const { a, b } = body as { a?: unknown; b?: unknown };
      await execute(new Look(a && b ? { b, a } : body), `k-${index}`);
      const other = execute(new Look(bodies[(index + 1) % bodies.length]), `k-${index}`);
      await expect(other).rejects.toMatchObject({ reason: 'other-body' });
    }
    expect(runs).toBe(bodies.length);
  });
});
