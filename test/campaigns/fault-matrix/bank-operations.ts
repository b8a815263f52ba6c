import { setTimeout as sleep } from 'node:timers/promises';
import { CommandContext, NO_STREAM, type StreamId } from '../../../src/index.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../../setup/bank.js';
import { collect } from '../../setup/collect.js';
import {
  Deposit,
  InlineAccount,
  OpenAccount,
  SnapshotAccount,
  Transfer,
  type AccountClass,
  type BankApplication,
} from './bank-application.js';
import type { Change } from './events-table.js';
import type { Ground, Operation, Trial } from './operation.js';

const FIRST = [new AccountOpened('Ada'), new MoneyDeposited(100)];

export const BANK_OPERATIONS: readonly Operation[] = [
  {
    name: 'command that creates',
    prepare: async ({ table }, id) => ({
      run: ({ commands }) => commands.execute(new OpenAccount(id, 'Bob')),
      truth: () => table.truthOf([{ stream: streamOf(id), before: [], added: [new AccountOpened('Bob')] }]),
    }),
  },
  {
    name: 'command that creates what is there',
    prepare: async (ground, id) => ({
      run: ({ commands }) => commands.execute(new OpenAccount(id, 'Bob')),
      conflicts: true,
      truth: await changing(ground, { stream: streamOf(id), before: FIRST, added: [new AccountOpened('Bob')] }),
    }),
  },
  depositing('command that loads and appends', Account, 'test-account'),
  depositing('command that takes a snapshot', SnapshotAccount, 'snapshot-account'),
  depositing('command with its state in the event', InlineAccount, 'inline-account'),
  { name: 'command that loses a race and runs again', prepare: losingRace },
  {
    name: 'command that transfers',
    prepare: async (ground, id) => {
      const [from, to] = [`${id}-from`, `${id}-to`];
      return {
        run: ({ commands }) => commands.execute(new Transfer(from, to, 30)),
        truth: await changing(
          ground,
          { stream: streamOf(from), before: FIRST, added: [new MoneyWithdrawn(30)] },
          { stream: streamOf(to), before: FIRST, added: [new MoneyDeposited(30)] },
        ),
      };
    },
  },
  {
    name: 'command with an idempotency key',
    prepare: async (ground, id) => ({
      run: (application) => depositOnce(application, id),
      answer: 107,
      truth: await changing(ground, { stream: streamOf(id), before: FIRST, added: [new MoneyDeposited(7)] }),
    }),
  },
  {
    name: 'command with an idempotency key, and its repeat',
    prepare: repeating,
  },
  reading('find', { owner: 'Ada', balance: 100, version: 2 }, async ({ accounts }, id) => {
    const found = await accounts.find(id);
    return found && { owner: found.owner, balance: found.balance, version: found.version };
  }),
  reading('exists', true, ({ accounts }, id) => accounts.exists(id)),
  reading('loadAt', { balance: 0, version: 1 }, async ({ accounts }, id) => {
    const { balance, version } = await accounts.loadAt(id, { version: 1 });
    return { balance, version };
  }),
  { name: 'loadAt a time', prepare: loadingAtTime },
  reading(
    'history',
    FIRST.map((event) => ({ ...event })),
    async ({ accounts }, id) => (await collect(accounts.history(id))).map(({ event }) => ({ ...event })),
  ),
  {
    name: 'find nothing',
    prepare: async (_, id) => ({ answer: null, run: ({ accounts }) => accounts.find(id) }),
  },
  {
    name: 'exists not',
    prepare: async (_, id) => ({ answer: false, run: ({ accounts }) => accounts.exists(id) }),
  },
  {
    name: 'save a new one',
    prepare: async ({ table }, id) => ({
      run: ({ accounts }) => accounts.save(Account.open(id, 'Bob')),
      truth: () => table.truthOf([{ stream: streamOf(id), before: [], added: [new AccountOpened('Bob')] }]),
    }),
  },
  {
    name: 'load, then save',
    prepare: async (ground, id) => ({
      run: async ({ accounts }) => {
        const account = await accounts.load(id);
        account.deposit(7);
        await accounts.save(account);
        return account.version;
      },
      answer: 3,
      truth: await changing(ground, { stream: streamOf(id), before: FIRST, added: [new MoneyDeposited(7)] }),
    }),
  },
];

function depositOnce({ commands }: BankApplication, id: string): Promise<unknown> {
  return CommandContext.run({ idempotencyKey: id }, () => commands.execute(new Deposit(Account, id, 7)));
}

/** Where only the repeat fails, and says truly that it has written nothing, the command itself was carried out. */
async function repeating(ground: Ground, id: string): Promise<Trial> {
  let acknowledged = false;
  return {
    run: async (application) => {
      const first = await depositOnce(application, id);
      acknowledged = true;
      return [first, await depositOnce(application, id)];
    },
    answer: [107, 107],
    acknowledged: () => acknowledged,
    truth: await changing(ground, { stream: streamOf(id), before: FIRST, added: [new MoneyDeposited(7)] }),
  };
}

function depositing(name: string, accountClass: AccountClass, aggregateType: string): Operation {
  return {
    name,
    prepare: async (ground, id) => ({
      run: ({ commands }) => commands.execute(new Deposit(accountClass, id, 7)),
      answer: 107,
      truth: await changing(ground, {
        stream: { aggregateType, aggregateId: id },
        before: FIRST,
        added: [new MoneyDeposited(7)],
      }),
    }),
  };
}

/** Another commit comes between the load and the commit of its first run. */
async function losingRace(ground: Ground, id: string): Promise<Trial> {
  const stream = streamOf(id);
  const before = [...FIRST];
  await ground.store.append(stream, before, { expectedVersion: NO_STREAM });
  const rival = async () => {
    if (before.length > FIRST.length) return;
    before.push(new MoneyDeposited(1));
    await ground.store.append(stream, before.slice(FIRST.length), { expectedVersion: FIRST.length });
  };
  return {
    run: ({ commands }) => commands.execute(new Deposit(Account, id, 7, rival)),
    answer: 108,
    truth: () => ground.table.truthOf([{ stream, before, added: [new MoneyDeposited(7)] }]),
  };
}

/** Reads an account of these first events. */
function reading(
  name: string,
  answer: unknown,
  read: (application: BankApplication, id: string) => Promise<unknown>,
): Operation {
  return {
    name,
    prepare: async ({ store }, id) => {
      await store.append(streamOf(id), FIRST, { expectedVersion: NO_STREAM });
      return { answer, run: (application) => read(application, id) };
    },
  };
}

/** The account as it was when the last of its first events was stored, and before a later one. */
async function loadingAtTime({ store }: Ground, id: string): Promise<Trial> {
  const stream = streamOf(id);
  await store.append(stream, FIRST, { expectedVersion: NO_STREAM });
  const [last] = await collect(store.read(stream, { direction: 'backward', limit: 1 }));
  const time = last!.eventTime;
  while (Date.now() <= time.getTime()) await sleep(1);
  await store.append(stream, [new MoneyDeposited(7)], { expectedVersion: FIRST.length });
  return {
    answer: { balance: 100, version: 2 },
    run: async ({ accounts }) => {
      const { balance, version } = await accounts.loadAt(id, { time });
      return { balance, version };
    },
  };
}

/** Lays what is there before, and tells how to look for what became of it. */
async function changing({ store, table }: Ground, ...changes: readonly Change[]): Promise<NonNullable<Trial['truth']>> {
  for (const { stream, before } of changes) await store.append(stream, before, { expectedVersion: NO_STREAM });
  return () => table.truthOf(changes);
}

function streamOf(aggregateId: string): StreamId {
  return { aggregateType: 'test-account', aggregateId };
}
