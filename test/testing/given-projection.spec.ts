import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  Aggregate,
  AggregateRoot,
  CommandContext,
  EventRegistrationError,
  EventType,
  InvalidStreamIdError,
  On,
  Projection,
  type ProjectionContext,
  ProjectionError,
  type RecordedEvent,
  type TableWrite,
  TableWriteRefusedError,
  UnserializableEventError,
} from '../../src/index.js';
import { givenProjection, recorded, ScenarioFailedError } from '../../src/testing/index.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';

/** Keeps a balance of each account, in a table. */
@Projection('balances')
class Balances {
  /** All that its methods were called with. */
  readonly seen: RecordedEvent[] = [];

  @On(AccountOpened) opened({ owner }: AccountOpened, { recorded: event, transaction }: ProjectionContext): void {
    this.seen.push(event);
    transaction.put({ TableName: 'balances', Item: { id: event.stream.aggregateId, owner, balance: 0 } });
  }

  @On(MoneyDeposited) async deposited({ amount }: MoneyDeposited, context: ProjectionContext): Promise<void> {
    await Promise.resolve();
    this.seen.push(context.recorded);
    if (amount > 1000) throw new RangeError('Too much.');
    context.transaction.update(raised(context.recorded.stream.aggregateId, amount).Update);
  }
}

function raised(id: string, amount: number) {
  return {
    Update: {
      TableName: 'balances',
      Key: { id },
      UpdateExpression: 'ADD balance :amount',
      ExpressionAttributeValues: { ':amount': amount },
    },
  };
}

const opening = (id: string): TableWrite => ({
  Put: { TableName: 'balances', Item: { id, owner: 'Ada', balance: 0 } },
});

/** Counts in its own memory, where nothing keeps a second delivery away. */
@Projection('counts')
class Counts {
  deposits = 0;

  @On(MoneyDeposited) deposited(): void {
    this.deposits++;
  }
}

const opened = new AccountOpened('Ada');
const history = [recorded(Account, 'a-1', [opened])];

/** The message of the failure that a wrong expectation ends in. */
async function failure(chain: PromiseLike<void>): Promise<string> {
  const error: unknown = await Promise.resolve(chain).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(ScenarioFailedError);
  expect((error as Error).stack).toContain('given-projection.spec');
  return (error as Error).message;
}

describe('a projection', () => {
  it('passes when exactly the expected writes were stored, in order', async () => {
    await givenProjection(Balances)
      .when([recorded(Account, 'a-1', [opened, new MoneyDeposited(5)]), recorded(Account, 'a-2', [opened])])
      .thenWrites([opening('a-1'), raised('a-1', 5), opening('a-2')]);
  });

  it('starts from what it has handled before, whose writes do not count', async () => {
    const balances = givenProjection(Balances, history);
    await balances.when([recorded(Account, 'a-1', [new MoneyDeposited(5)])]).thenWrites([raised('a-1', 5)]);
    await balances
      .when([recorded(Account, 'a-1', [new MoneyDeposited(6)])])
      .thenWrites([raised('a-1', 6)])
      .thenProjection(({ seen }) => expect(seen.map(({ version }) => version)).toEqual([1, 2]));
  });

  it.each<[string, readonly TableWrite[]]>([
    ['another value', [raised('a-1', 6)]],
    ['another item', [raised('a-2', 5)]],
    ['one too many', [raised('a-1', 5), raised('a-1', 5)]],
    ['none', []],
  ])('fails for %s', async (_, expected) => {
    const outcome = givenProjection(Balances, history).when([recorded(Account, 'a-1', [new MoneyDeposited(5)])]);
    expect(await failure(outcome.thenWrites(expected))).toContain("Update balances { Key: { id: 'a-1' }");
  });

  it('shows a line for each write, with what was expected and what was there', async () => {
    const events = [recorded(Account, 'a-1', [opened, new MoneyDeposited(6)])];
    const slip = { id: 'a-1' } as never;
    const outcome = givenProjection(Balances)
      .when(events)
      .thenWrites([opening('a-1'), raised('a-1', 5), slip]);
    const update = (amount: number) =>
      `Update balances { Key: { id: 'a-1' }, UpdateExpression: 'ADD balance :amount', ExpressionAttributeValues: { ':amount': ${amount} } }`;
    expect(await failure(outcome)).toBe(
      [
        'Expected 3 writes, and there were other writes (- expected, + actual):',
        "  Put balances { Item: { id: 'a-1', owner: 'Ada', balance: 0 } }",
        `- ${update(5)}`,
        "- { id: 'a-1' } (no write)",
        `+ ${update(6)}`,
      ].join('\n'),
    );
  });

  it('hands the writes to a function', async () => {
    const outcome = () => givenProjection(Balances).when(history);
    await outcome().thenWrites((writes) => expect(writes).toHaveLength(1));
    await outcome().thenWrites(async ([write]) => 'Put' in write!);
    expect(await failure(outcome().thenWrites(() => false))).toBe('The function given to thenWrites returned false.');
    await expect(outcome().thenWrites((writes) => expect(writes).toEqual([]))).rejects.toThrow('toEqual');
  });

  it('may write nothing', async () => {
    const events = [recorded(Account, 'a-1', [new MoneyWithdrawn(5)])];
    await givenProjection(Balances).when(events).thenNothing().thenProjection({ seen: [] });
    expect(await failure(givenProjection(Balances).when(history).thenNothing())).toContain('+ Put balances');
  });

  it('refuses what is no expectation, instead of passing', () => {
    const outcome = givenProjection(Counts).when([]);
    for (const slip of [opening('a-1'), undefined, null, 'x']) {
      expect(() => outcome.thenWrites(slip as never)).toThrow(TypeError);
    }
    expect(() => outcome.then([opening('a-1')] as never)).toThrow('write thenWrites');
  });

  it('shows itself', async () => {
    const outcome = () =>
      givenProjection(Counts).when([recorded(Account, 'a-1', [new MoneyDeposited(1), new MoneyDeposited(2)])]);
    await outcome()
      .thenProjection({ deposits: 2 })
      .thenProjection(({ deposits }) => deposits === 2);
    expect(await failure(outcome().thenProjection({ deposits: 1 }))).toMatch(/\n- deposits: 1\n\+ deposits: 2$/);
    expect(await failure(outcome().thenProjection(async () => false))).toContain('thenProjection returned false');
  });

  it('keeps its state as an instance, and begins anew as a class', async () => {
    const counts = new Counts();
    const events = [recorded(Account, 'a-1', [new MoneyDeposited(1)])];
    for (const deposits of [1, 2]) await givenProjection(counts).when(events).thenProjection({ deposits });
    const byClass = givenProjection(Counts);
    for (const deposits of [1, 1]) await byClass.when(events).thenProjection({ deposits });
  });
});

describe('a projection that throws', () => {
  const events = [recorded(Account, 'a-1', [opened, new MoneyDeposited(2000), new MoneyDeposited(1)])];
  const outcome = () => givenProjection(Balances).when(events);

  it('has stored what came before, and gets nothing more', async () => {
    await outcome()
      .thenThrows(RangeError)
      .thenThrows('Too much')
      .thenWrites([opening('a-1')])
      .thenProjection(({ seen }) => seen.length === 2);
  });

  it('lets no error pass unnoticed', async () => {
    for (const chain of [
      outcome().thenWrites([opening('a-1')]),
      outcome().thenWrites(() => true),
      outcome().thenNothing(),
      outcome().thenProjection(() => true),
    ]) {
      expect(await failure(chain)).toContain('RangeError: Too much was thrown');
    }
    await expect(outcome()).rejects.toThrow(RangeError);
    await expect(outcome().redelivered().thenThrows(RangeError)).rejects.toThrow('Too much.');
    await expect(outcome().redelivered().thenThrows(RangeError)).rejects.not.toThrow(ScenarioFailedError);
  });

  it('has to throw what was expected', async () => {
    expect(await failure(outcome().thenThrows(TypeError))).toContain('it was RangeError: Too much');
    expect(await failure(givenProjection(Balances).when(history).thenThrows(RangeError))).toMatch(
      /RangeError to be thrown, and nothing was. Writes:\n\+ Put balances/,
    );
    expect(() => outcome().thenThrows(undefined as never)).toThrow(TypeError);
  });

  it('fails the test when it throws for its history', async () => {
    const broken = givenProjection(Balances, events).when([recorded(Account, 'a-1', [opened])]);
    await expect(broken.thenThrows(RangeError)).rejects.toThrow('did not handle its history: RangeError: Too much');
  });
});

describe('redelivered', () => {
  const events = [recorded(Account, 'a-1', [opened, new MoneyDeposited(5)])];

  it('calls the methods again, and stores nothing twice of context.transaction', async () => {
    await givenProjection(Balances)
      .when(events)
      .thenWrites([opening('a-1'), raised('a-1', 5)])
      .redelivered()
      .thenNothing()
      .thenProjection(({ seen }) => expect(seen.map(({ version }) => version)).toEqual([1, 2, 1, 2]));
  });

  it('hands over the same events, by id and version', async () => {
    const balances = new Balances();
    await givenProjection(balances).when(events).redelivered();
    const ids = balances.seen.map(({ eventId, eventTime }) => `${eventId} ${eventTime.getTime()}`);
    expect(ids.slice(2)).toEqual(ids.slice(0, 2));
    expect(new Set(ids).size).toBe(2);
  });

  it('shows a projection that counts twice', async () => {
    await givenProjection(Counts)
      .when(events)
      .thenProjection({ deposits: 1 })
      .redelivered()
      .thenProjection({ deposits: 2 });
  });

  it('is how a projection goes on that failed for a while', async () => {
    let broken = true;
    class Mended extends Balances {
      override async deposited(event: MoneyDeposited, context: ProjectionContext): Promise<void> {
        if (broken) throw new Error('Broken.');
        await super.deposited(event, context);
      }
    }
    Projection('mended')(Mended);
    await givenProjection(Mended)
      .when(events)
      .thenThrows('Broken.')
      .thenProjection(() => {
        broken = false;
      })
      .redelivered()
      .thenWrites([raised('a-1', 5)]);
  });

  it('waits for the assertions before it, and fails with them', async () => {
    const outcome = givenProjection(Balances).when(events).thenNothing().redelivered();
    expect(await failure(outcome.thenNothing())).toContain('+ Put balances');
  });
});

describe('what a projection gets', () => {
  it('is what it gets in an application: version, stream, time, metadata and tenant', async () => {
    const balances = new Balances();
    const at = new Date('2026-01-31T12:00:00Z');
    const metadata = { userId: 'u-1', correlationId: 'c-1' };
    await givenProjection(balances).when([
      recorded(Account, 'a-1', [opened, new MoneyDeposited(1)], { tenantId: 't-1', metadata, at }),
      recorded(Account, 'a-2', [opened]),
      recorded(Account, 'a-1', [new MoneyDeposited(2)], { tenantId: 't-1' }),
      recorded(Account, 'a-1', [opened], { tenantId: 't-2' }),
    ]);
    const stream = (aggregateId: string, tenantId?: string) => ({
      ...(tenantId && { tenantId }),
      aggregateType: 'test-account',
      aggregateId,
    });
    expect(balances.seen).toMatchObject([
      { version: 1, stream: stream('a-1', 't-1'), metadata, eventType: 'test.AccountOpened', eventTime: at },
      { version: 2, stream: stream('a-1', 't-1'), metadata, eventTime: new Date(at.getTime() + 1) },
      { version: 1, stream: stream('a-2'), metadata: {} },
      { version: 3, stream: stream('a-1', 't-1'), metadata: {}, event: new MoneyDeposited(2) },
      { version: 1, stream: stream('a-1', 't-2') },
    ]);
    expect(balances.seen[2]!.stream).toEqual(stream('a-2'));
    expect(balances.seen[0]!.commitId).toBe(balances.seen[1]!.commitId);
    expect(balances.seen[0]!.event).toBeInstanceOf(AccountOpened);
    expect(balances.seen[0]!.event).not.toBe(opened);
  });

  it('may be more than one commit holds', async () => {
    const deposits = Array.from({ length: 150 }, () => new MoneyDeposited(1));
    await givenProjection(Balances)
      .when([recorded(Account, 'a-1', deposits)])
      .thenProjection(({ seen }) => expect(seen.map(({ version }) => version)).toEqual(deposits.map((_, i) => i + 1)));
  });

  it('runs in the context that the event sets', async () => {
    const contexts: unknown[] = [];
    @Projection('contexts')
    class Contexts {
      @On(AccountOpened) opened(): void {
        contexts.push(CommandContext.current());
      }
    }
    const options = { tenantId: 't-1', metadata: { userId: 'u-1' } };
    await givenProjection(Contexts).when([recorded(Account, 'a-1', [opened], options)]);
    expect(contexts).toEqual([{ tenantId: 't-1', userId: 'u-1', causationId: expect.any(String) }]);
  });

  it('comes from the aggregates that it follows, and no others', async () => {
    @Aggregate('kit-wallet')
    class Wallet extends AggregateRoot {
      @On(MoneyDeposited) protected onDeposited(): void {}
    }
    const events = [
      recorded(Wallet, 'w-1', [new MoneyDeposited(1)]),
      recorded(Account, 'a-1', [new MoneyDeposited(1)]),
      recorded('remote-wallet', 'r-1', [new MoneyDeposited(1)]),
    ];
    class Some extends Counts {}
    Projection('some', { aggregates: [Wallet, 'remote-wallet'] })(Some);
    await givenProjection(Some).when(events).thenProjection({ deposits: 2 });
    await givenProjection(Counts).when(events).thenProjection({ deposits: 3 });
  });

  it('comes in batches, whose writes are parted as the application parts them', async () => {
    class Batched extends Balances {}
    Projection('batched', { batch: 3 })(Batched);
    const deposits = [1, 2, 3, 4].map((amount) => new MoneyDeposited(amount));
    await givenProjection(Batched, history)
      .when([recorded(Account, 'a-1', deposits)])
      .thenWrites([1, 2, 3, 4].map((amount) => raised('a-1', amount)))
      .redelivered()
      .thenNothing();
  });
});

@EventType('kit.Remarked')
class Remarked {
  constructor(readonly remark: unknown) {}
}

class Decimal {
  constructor(readonly text: string) {}
}

@Projection('remarks')
class Remarks {
  readonly remarks: unknown[] = [];
  private readonly item = { id: 'remarks', last: '' as unknown };

  @On(Remarked) remarked({ remark }: Remarked, { transaction }: ProjectionContext): void {
    this.remarks.push(remark);
    this.item.last = remark instanceof Decimal ? remark.text : remark;
    transaction.put({ TableName: 'remarks', Item: this.item });
  }
}

describe('a test of a projection fails where the application would', () => {
  it('for an event that cannot be stored, or is of no registered class', () => {
    const remarks = givenProjection(Remarks);
    expect(() => remarks.when([recorded('book', 'b-1', [new Remarked(Number.NaN)])])).toThrow(UnserializableEventError);
    expect(() => remarks.when([recorded(Account, 'a-1', [new Unlisted()])])).toThrow(EventRegistrationError);
    expect(() => remarks.when([recorded('book', 'b-1', [{}])])).toThrow(EventRegistrationError);
    expect(() => remarks.when([recorded('book', '', [new Remarked(1)])])).toThrow(InvalidStreamIdError);
    const metadata = { userId: '' };
    expect(() => remarks.when([recorded('book', 'b-1', [new Remarked(1)], { metadata })])).toThrow('userId (empty)');
    expect(() => recorded('book', 'b-1', [], { at: new Date(Number.NaN) })).toThrow(RangeError);
  });

  it('for what is no projection', () => {
    class Plain {}
    class Deaf {}
    Projection('deaf')(Deaf);
    class Dependent {
      constructor(readonly counts: Counts) {}
    }
    Projection('dependent')(Dependent);
    expect(() => givenProjection(new Plain())).toThrow('Plain is no projection');
    expect(() => givenProjection(Plain)).toThrow(ProjectionError);
    expect(() => givenProjection(Deaf)).toThrow('handles no event');
    expect(() => givenProjection(Dependent as never)).toThrow('hand an instance');
  });

  it('for writes that DynamoDB takes in no transaction', async () => {
    class Often {
      @On(AccountOpened) opened(_: AccountOpened, { transaction }: ProjectionContext): void {
        for (let id = 0; id < this.times; id++) transaction.delete({ TableName: 't', Key: { id: this.same ? 0 : id } });
      }

      constructor(
        private readonly times: number,
        private readonly same: boolean,
      ) {}
    }
    Projection('often')(Often);
    const outcome = (times: number, same: boolean) => givenProjection(new Often(times, same)).when(history);
    await outcome(99, false).thenWrites((writes) => writes.length === 99);
    await outcome(100, false).thenThrows(TableWriteRefusedError).thenNothing();
    await outcome(1, true).thenWrites((writes) => writes.length === 1);
    await outcome(2, true).thenThrows('one item twice').thenNothing();
  });

  it('for values that are no data', async () => {
    class Timeline {
      constructor(private readonly at: unknown) {}

      @On(AccountOpened) opened(_: AccountOpened, { transaction }: ProjectionContext): void {
        transaction.put({ TableName: 'timeline', Item: { id: 'a-1', at: { last: [this.at] } } });
      }
    }
    Projection('timeline')(Timeline);
    const outcome = (at: unknown) => givenProjection(new Timeline(at)).when(history);
    await outcome(new Date(0).toISOString()).thenWrites((writes) => writes.length === 1);
    await outcome(new Date(0)).thenThrows(TableWriteRefusedError).thenNothing();
    await outcome(new Date(0)).thenThrows('a value of the kind Date at "Item.at.last.0"');
    await outcome(new Set()).thenThrows('an empty Set at "Item.at.last.0"');
    await outcome(Number.NaN).thenThrows('to table "timeline"');
    await outcome(2 ** 53).thenThrows('Number.MAX_SAFE_INTEGER');
    const unreadable = {
      get x(): never {
        throw new Error('x');
      },
    };
    await outcome(unreadable).thenThrows('a value that cannot be read');
  });

  it.each<TableWrite>([
    { Update: { TableName: 't', Key: { id: Number.NaN }, UpdateExpression: 'REMOVE a' } },
    {
      Update: {
        TableName: 't',
        Key: { id: 'a' },
        UpdateExpression: 'SET a = :a',
        ExpressionAttributeValues: { ':a': new Date(0) },
      },
    },
    { Delete: { TableName: 't', Key: { id: new Date(0) } } },
    { ConditionCheck: { TableName: 't', Key: { id: new Set() }, ConditionExpression: 'attribute_exists(id)' } },
  ])('for them also in %j', async (write) => {
    class Any {
      @On(AccountOpened) opened(_: AccountOpened, { transaction }: ProjectionContext): void {
        if ('Update' in write) transaction.update(write.Update);
        if ('Delete' in write) transaction.delete(write.Delete);
        if ('ConditionCheck' in write) transaction.conditionCheck(write.ConditionCheck);
      }
    }
    Projection('any')(Any);
    await givenProjection(Any).when(history).thenThrows(TableWriteRefusedError).thenNothing();
  });

  it('and shows writes as they were when they were stored', async () => {
    const put = (last: unknown) => ({ Put: { TableName: 'remarks', Item: { id: 'remarks', last } } });
    await givenProjection(Remarks)
      .when([recorded('book', 'b-1', [new Remarked('first'), new Remarked('second')])])
      .thenWrites([put('first'), put('second')]);
  });

  it('and knows the value types of the application', async () => {
    const decimal = {
      name: 'decimal',
      type: Decimal,
      write: ({ text }: Decimal) => text,
      read: (text: unknown) => new Decimal(text as string),
    };
    await givenProjection(Remarks, [], { valueTypes: [decimal] })
      .when([recorded('book', 'b-1', [new Remarked(new Decimal('1'))])])
      .thenProjection({ remarks: [new Decimal('1')] });
  });
});

describe('a chain that nobody awaits', () => {
  it('leaves an unhandled rejection when an assertion fails', async () => {
    const folder = await mkdtemp(join(process.cwd(), '.build', 'forgotten-'));
    try {
      const file = join(folder, 'forgotten.mjs');
      await writeFile(
        file,
        `import { EventType, On, Projection } from 'nestjs-dynamodb-event-store';
         import { givenProjection } from 'nestjs-dynamodb-event-store/testing';
         class Happened {}
         EventType('happened')(Happened);
         class View { happened() {} }
         On(Happened)(View.prototype, 'happened');
         Projection('view')(View);
         givenProjection(View).when([]).redelivered().thenThrows(RangeError);`,
      );
      const run = promisify(execFile)(process.execPath, [file]);
      await expect(run).rejects.toThrow(/ScenarioFailedError: Expected RangeError to be thrown/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

@EventType('kit.projection.Unlisted')
class Unlisted {}
