import { NO_STREAM, type StreamId, type UniqueChange } from '../../../src/index.js';
import { AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../../setup/bank.js';
import { Deposit, SummedAccount } from './bank-application.js';
import { truthWith, type Beside } from './items-beside.js';
import type { Ground, Operation, Trial } from './operation.js';

const FIRST = [new AccountOpened('Ada'), new MoneyDeposited(100)];

/** Commits that store something beside events. */
export const JOINED_OPERATIONS: readonly Operation[] = [
  {
    name: 'commit that reserves a value',
    prepare: async (ground, id) => {
      const stream = streamOf(id);
      await ground.store.append(stream, FIRST, { expectedVersion: NO_STREAM });
      const added = [new MoneyDeposited(7)];
      return {
        run: async ({ store }) => {
          const unique = [uniqueChange(id, 'reserve', id)];
          await store.commit({ appends: [{ stream, events: added, expectedVersion: FIRST.length }], unique });
        },
        truth: truthOf(ground, stream, FIRST, added, heldBy(ground, id, { applied: id, notApplied: undefined })),
      };
    },
  },
  {
    name: 'commit that reserves what another holds',
    prepare: async (ground, id) => {
      const holder = `${id}-holder`;
      await hold(ground, holder, id);
      const stream = streamOf(id);
      const added = [new AccountOpened('Bob')];
      return {
        refusedWith: 'UNIQUE_CONSTRAINT',
        run: ({ store }) =>
          store.commit({
            appends: [{ stream, events: added, expectedVersion: NO_STREAM }],
            unique: [uniqueChange(id, 'reserve', id)],
          }),
        truth: truthOf(ground, stream, [], added, heldBy(ground, id, { applied: id, notApplied: holder })),
      };
    },
  },
  {
    name: 'commit that releases a value',
    prepare: async (ground, id) => {
      await hold(ground, id, id);
      const stream = streamOf(id);
      const added = [new MoneyDeposited(7)];
      return {
        run: async ({ store }) => {
          const unique = [uniqueChange(id, 'release', id)];
          await store.commit({ appends: [{ stream, events: added, expectedVersion: FIRST.length }], unique });
        },
        truth: truthOf(ground, stream, FIRST, added, heldBy(ground, id, { applied: undefined, notApplied: id })),
      };
    },
  },
  {
    name: 'command joined by an inline projection',
    prepare: async (ground, id) => {
      const stream = streamOf(id, 'summed-account');
      await ground.store.append(stream, FIRST, { expectedVersion: NO_STREAM });
      return {
        run: ({ commands }) => commands.execute(new Deposit(SummedAccount, id, 7)),
        answer: 107,
        // The view has only what was committed with it.
        truth: truthOf(ground, stream, FIRST, [new MoneyDeposited(7)], summed(ground, id, 7)),
      };
    },
  },
  {
    name: 'commit that an inline projection refuses',
    prepare: async (ground, id) => {
      const stream = streamOf(id, 'summed-account');
      await ground.store.append(stream, FIRST, { expectedVersion: NO_STREAM });
      const events = [new MoneyWithdrawn(30)];
      return {
        refusedWith: 'TABLE_WRITE_REFUSED',
        run: ({ store }) => store.commit({ appends: [{ stream, events, expectedVersion: FIRST.length }] }),
        truth: truthOf(ground, stream, FIRST, events, summed(ground, id, -30)),
      };
    },
  },
];

async function hold({ store }: Ground, aggregateId: string, value: string): Promise<void> {
  const append = { stream: streamOf(aggregateId), events: FIRST, expectedVersion: NO_STREAM };
  await store.commit({ appends: [append], unique: [uniqueChange(aggregateId, 'reserve', value)] });
}

function heldBy({ beside }: Ground, value: string, holders: Omit<Beside, 'found'>): Beside {
  return { found: () => beside.holderOf('matrix', value), ...holders };
}

function summed({ beside }: Ground, id: string, applied: number): Beside {
  return { found: () => beside.sumOf(id), applied, notApplied: undefined };
}

function truthOf(
  { table }: Ground,
  stream: StreamId,
  before: readonly object[],
  added: readonly object[],
  beside: Beside,
): NonNullable<Trial['truth']> {
  return () => truthWith(beside, () => table.truthOf([{ stream, before, added }]));
}

function uniqueChange(aggregateId: string, action: UniqueChange['action'], value: string): UniqueChange {
  return { stream: streamOf(aggregateId), action, constraint: 'matrix', value };
}

function streamOf(aggregateId: string, aggregateType = 'test-account'): StreamId {
  return { aggregateType, aggregateId };
}
