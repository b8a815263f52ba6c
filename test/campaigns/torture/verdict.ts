import type { CommitOutcome } from '../../../src/index.js';
import type { StoredCommand } from './stored-commands.js';
import type { Ending } from './writers.js';

/** What was said of a command, against what is stored of it; nothing when they agree. */
export function verdict(ending: Ending, stored: StoredCommand | undefined): string | undefined {
  const { key, said, error } = ending;
  const is = stored === undefined ? 'absent' : isWhole(ending, stored) ? 'whole' : 'torn';
  if (is === 'torn')
    return `${key} was ${said}, and is stored in part, doubled or in several commits: ${shown(stored!)}`;
  switch (said) {
    case 'acknowledged':
      return is === 'whole' ? undefined : `${key} was acknowledged, and is not stored`;
    case 'refused':
      return is === 'absent' ? undefined : `${key} was refused with ${error}, and is stored`;
    case 'untyped':
      return `${key} failed with ${error}, which is no answer (${is})`;
    case 'unknown':
      return undefined;
  }
}

/** What `outcomeOf` said of a commit, against what is stored of its command. */
export function outcomeVerdict(key: string, outcome: CommitOutcome, stored: boolean): string | undefined {
  return (outcome === 'stored') === stored
    ? undefined
    : `${key} was ${outcome} by outcomeOf, and is ${stored ? '' : 'not '}stored`;
}

function isWhole({ bookings }: Ending, { amounts, commitIds }: StoredCommand): boolean {
  const wanted = Object.entries(bookings);
  return (
    commitIds.size === 1 &&
    amounts.size === wanted.length &&
    wanted.every(([account, each]) => String(amounts.get(account)) === String(each))
  );
}

function shown({ amounts, commitIds }: StoredCommand): string {
  const each = [...amounts].map(([account, booked]) => `${account}: ${booked.join(' ')}`);
  return `${each.join(', ')} in ${commitIds.size} commit(s)`;
}
