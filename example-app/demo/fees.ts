import type { CommandBus } from '@nestjs/cqrs';
import { CommandContext } from 'nestjs-dynamodb-event-store';
import { DepositMoney } from '../bank/deposit-money.js';
import { OpenAccount } from '../bank/open-account.js';
import { inParallel } from '../permit-office/in-parallel.js';
import type { LogCounts } from '../permit-office/count-log.js';

const CENTS_A_STEP = 100;
const ACCOUNTS_AT_ONCE = 16;

/** The fees of each person who is responsible for cases, in cents: one for each case, in the order of the log. */
export type Fees = ReadonlyMap<string, readonly number[]>;

export function feesOf({ cases }: Pick<LogCounts, 'cases'>): Fees {
  const fees = new Map<string, number[]>();
  for (const { responsible, steps } of cases.values()) {
    const owner = responsible || 'nobody';
    fees.set(owner, [...(fees.get(owner) ?? []), steps * CENTS_A_STEP]);
  }
  return fees;
}

/** Opens an account for each person, and pays in the fee of each of their cases. */
export async function bookFees(
  fees: Fees,
  { commands, signal }: { readonly commands: Pick<CommandBus, 'execute'>; readonly signal?: AbortSignal },
): Promise<void> {
  await inParallel(fees, ACCOUNTS_AT_ONCE, async ([owner, amounts]) => {
    await CommandContext.run({ userId: 'cashier' }, async () => {
      signal?.throwIfAborted();
      const accountId: string = await commands.execute(new OpenAccount(owner));
      for (const cents of amounts) {
        signal?.throwIfAborted();
        await commands.execute(new DepositMoney(accountId, cents));
      }
    });
  });
}
