import { isDeepStrictEqual } from 'node:util';
import type { AccountBalance, AccountViews } from '../bank/account-views.js';
import type { Fees } from './fees.js';

const PAGE = 100;

/** Compares balances and statements with the fees that were booked. @returns a sentence for each difference */
export async function compareAccountViews(views: AccountViews, fees: Fees): Promise<readonly string[]> {
  const accounts: AccountBalance[] = [];
  for await (const account of pages((last?: AccountBalance) => views.balances({ limit: PAGE, after: last?.id }))) {
    accounts.push(account);
  }
  const differences: string[] = [];
  if (accounts.length !== fees.size) differences.push(`There are ${accounts.length} accounts, not ${fees.size}.`);
  for (const [owner, amounts] of fees) {
    const account = accounts.find((each) => each.owner === owner);
    const total = amounts.reduce((sum, cents) => sum + cents, 0);
    if (account?.cents !== total) {
      differences.push(`The account of ${owner} shows ${account?.cents ?? 'no balance'}, not ${total} cents.`);
    }
    if (!account) continue;
    const lines: number[] = [];
    const statement = pages((last?: { version: number }) =>
      views.statement(account.id, { limit: PAGE, after: last?.version }),
    );
    for await (const { cents } of statement) lines.push(cents);
    if (!isDeepStrictEqual(lines, amounts)) {
      differences.push(`The statement of ${owner} has ${lines.length} lines, not these ${amounts.length} fees.`);
    }
  }
  return differences;
}

/** All items of a list that is read page by page, until a page is empty. */
async function* pages<T>(read: (last?: T) => Promise<readonly T[]>): AsyncGenerator<T> {
  for (let page = await read(); page.length > 0; page = await read(page.at(-1))) yield* page;
}
