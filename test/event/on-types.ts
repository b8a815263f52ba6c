import { On, type Class, type ProjectionContext } from '../../src/index.js';
import { AccountOpened, MoneyDeposited } from '../setup/bank.js';

// What the compiler says of `@On` methods. Nothing runs this: `npm run typecheck` reads it, and fails where a method that
// should compile does not, and where one that is marked as an error is none.

export class Appliers {
  @On(AccountOpened) protected none(): void {}
  @On(AccountOpened) protected itsEvent(_event: AccountOpened): void {}
  @On(AccountOpened) protected notNeeded(_event?: AccountOpened, _more?: string): void {}
  @On(AccountOpened) @On(MoneyDeposited) protected oneOfBoth(_event: AccountOpened | MoneyDeposited): void {}

  // @ts-expect-error -- it gets an AccountOpened
  @On(AccountOpened) protected ofAnother(_event: MoneyDeposited): void {}

  // @ts-expect-error -- it gets a MoneyDeposited as well
  @On(AccountOpened) @On(MoneyDeposited) protected oneOfTwo(_event: AccountOpened): void {}
}

export class Handlers {
  @On(AccountOpened) ofAny(_event: AccountOpened, _context: ProjectionContext): void {}
  @On(AccountOpened) ofItsEvent(_event: AccountOpened, _context: ProjectionContext<AccountOpened>): void {}
  @On(AccountOpened) inParts(
    _event: AccountOpened,
    { recorded, transaction }: ProjectionContext<AccountOpened>,
  ): unknown {
    return [recorded.event.owner, transaction];
  }
  @On(AccountOpened) notNeeded(_event: AccountOpened, _context?: ProjectionContext<AccountOpened>): void {}
  @On(AccountOpened) partOfIt(
    _event: AccountOpened,
    _context: Pick<ProjectionContext<AccountOpened>, 'recorded'>,
  ): void {}
  @On(AccountOpened) whatever(_event: AccountOpened, _context: unknown): void {}
  @On(AccountOpened)
  @On(MoneyDeposited)
  oneOfBoth(_event: object, _context: ProjectionContext<AccountOpened | MoneyDeposited>): void {}

  // @ts-expect-error -- its context is that of an AccountOpened
  @On(AccountOpened) ofAnother(_event: AccountOpened, _context: ProjectionContext<MoneyDeposited>): void {}

  // @ts-expect-error -- likewise
  @On(AccountOpened) ofAnotherNotNeeded(_event: AccountOpened, _context?: ProjectionContext<MoneyDeposited>): void {}

  // @ts-expect-error -- it gets that of a MoneyDeposited as well
  @On(AccountOpened) @On(MoneyDeposited) oneOfTwo(_event: object, _context: ProjectionContext<AccountOpened>): void {}
}

/** Inherited methods may be written anew, and decorated as well. */
export class MoreHandlers extends Handlers {
  @On(AccountOpened) override ofAny(_event: AccountOpened, _context: ProjectionContext<AccountOpened>): void {}
}

/** Nor need the event be known yet. */
export function handlersOf<E extends object>(eventClass: Class<E>): Class {
  class HandlersOf {
    @On(eventClass) itsEvent(_event: E): void {}
    @On(eventClass) inItsContext(_event: E, _context: ProjectionContext<E>): void {}
  }
  return HandlersOf;
}
