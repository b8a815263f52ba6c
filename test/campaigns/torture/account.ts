import { Aggregate, AggregateRoot, EventType, On, type Class, type StreamId } from '../../../src/index.js';

/** Each event tells which booking it belongs to, and which of that booking's events on its account it is, from 0. */
@EventType('torture.Opened')
export class Opened {
  constructor(
    readonly booking: number,
    readonly part: number,
    readonly amount: number,
  ) {}
}

@EventType('torture.Deposited')
export class Deposited {
  constructor(
    readonly booking: number,
    readonly part: number,
    readonly amount: number,
  ) {}
}

@EventType('torture.Withdrawn')
export class Withdrawn {
  constructor(
    readonly booking: number,
    readonly part: number,
    readonly amount: number,
  ) {}
}

export type AccountEvent = Opened | Deposited | Withdrawn;

/** What a booking changes the balance by. */
export function changeOf(event: AccountEvent): number {
  return event instanceof Withdrawn ? -event.amount : event.amount;
}

export interface AccountState {
  readonly balance: number;
  /** Depends on each event and on their order. */
  readonly digest: number;
}

export function nextState({ balance, digest }: AccountState, event: AccountEvent): AccountState {
  const change = changeOf(event);
  const mixed = Math.imul(digest ^ event.booking, 0x01000193) ^ (event.part * 1009 + change);
  return { balance: balance + change, digest: mixed >>> 0 };
}

export const EMPTY_ACCOUNT: AccountState = { balance: 0, digest: 0 };

/** The domain's own refusal. */
export class NotEnoughMoney extends Error {
  override readonly name = 'NotEnoughMoney';
}

export abstract class Account extends AggregateRoot {
  state = EMPTY_ACCOUNT;
  private opened = false;

  open(booking: number, part: number, amount: number): void {
    this.apply(new Opened(booking, part, amount));
  }

  /** @param change of the balance; one above zero opens the account where that has not been done */
  book(booking: number, part: number, change: number): void {
    if (this.state.balance + change < 0) throw new NotEnoughMoney(`${this.id} has too little money.`);
    if (change < 0) this.apply(new Withdrawn(booking, part, -change));
    else if (this.opened) this.apply(new Deposited(booking, part, change));
    else this.open(booking, part, change);
  }

  @On(Opened) protected onOpened(event: Opened): void {
    this.opened = true;
    this.state = nextState(this.state, event);
  }

  @On(Deposited) protected onDeposited(event: Deposited): void {
    this.state = nextState(this.state, event);
  }

  @On(Withdrawn) protected onWithdrawn(event: Withdrawn): void {
    this.state = nextState(this.state, event);
  }
}

@Aggregate('torture-plain')
class PlainAccount extends Account {}

@Aggregate('torture-snapshot', { snapshotEvery: 10 })
class SnapshotAccount extends Account {}

@Aggregate('torture-inline', { snapshot: 'inline' })
class InlineAccount extends Account {}

export interface AccountKind {
  /** The stored name. */
  readonly name: string;
  readonly accountClass: Class<Account>;
}

/** The kinds of accounts, by how their state is kept. */
export const ACCOUNT_KINDS: readonly AccountKind[] = [
  { name: 'torture-plain', accountClass: PlainAccount },
  { name: 'torture-snapshot', accountClass: SnapshotAccount },
  { name: 'torture-inline', accountClass: InlineAccount },
];

export function kindOf(account: number): AccountKind {
  return ACCOUNT_KINDS[account % ACCOUNT_KINDS.length]!;
}

export function streamOf(account: number): StreamId {
  return { aggregateType: kindOf(account).name, aggregateId: String(account) };
}
