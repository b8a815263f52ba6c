import { describe, expect, it } from '@jest/globals';
import {
  Aggregate,
  AggregateRoot,
  AggregateUnusableError,
  EventRegistry,
  EventType,
  InvalidEventError,
  MissingApplierError,
  On,
} from '../../src/index.js';
import { lifecycleOf } from '../../src/aggregate/aggregate-lifecycle.js';
import { Account, AccountOpened, MoneyDeposited, MoneyWithdrawn } from '../setup/bank.js';

@EventType('root.Renamed')
class Renamed {
  constructor(readonly to: string) {}
}

@EventType('root.Noted')
class Noted {}

@EventType('root.Exploded')
class Exploded {}

class Undecorated {}

@Aggregate('root-thing', { events: [Renamed], ignores: [Noted] })
class Thing extends AggregateRoot {
  name = '';
  half = 0;

  onRenamed({ to }: Renamed): void {
    this.name = to;
  }

  @On(Exploded) protected onExploded(): void {
    this.half = 1;
    throw new RangeError('half way');
  }
}

describe('an aggregate', () => {
  it('is not changed by an event that breaks its rules', async () => {
    await new EventRegistry().register(MoneyDeposited).prepareValidation();
    const account = new Account('a');
    expect(() => account.apply(new MoneyDeposited(0.5))).toThrow(InvalidEventError);
    expect(() => account.apply(new MoneyDeposited(0.5))).toThrow('test.MoneyDeposited is not valid: amount (isInt).');
    expect([account.balance, account.getUncommittedEvents()]).toEqual([0, []]);
    // What is stored may be older than the rules.
    account.apply(new MoneyDeposited(0.5), true);
    account.deposit(2);
    expect(account.balance).toBe(2.5);
  });

  it('is new with version 0, and changes by its appliers', () => {
    const account = Account.open('a-1', 'Ada');
    account.deposit(5);
    expect(account).toMatchObject({ id: 'a-1', version: 0, owner: 'Ada', balance: 5 });
    expect(account.getUncommittedEvents()).toEqual([new AccountOpened('Ada'), new MoneyDeposited(5)]);
  });

  it('hands out a copy of its uncommitted events', () => {
    const account = Account.open('a-1', 'Ada');
    account.getUncommittedEvents().pop();
    expect(account.getUncommittedEvents()).toHaveLength(1);
    account.uncommit();
    expect(account.getUncommittedEvents()).toEqual([]);
  });

  it('still knows on<EventClassName> methods, and events it ignores', () => {
    const thing = new Thing('t');
    thing.apply(new Renamed('x'));
    thing.apply(new Noted());
    expect(thing.name).toBe('x');
    expect(thing.getUncommittedEvents()).toHaveLength(2);
  });

  it('finds its applier by class, also in a subclass and under another class name', () => {
    class Special extends Account {}
    const Minified = { a: class extends AccountOpened {} }.a;
    const special = new Special('s');
    special.apply(new AccountOpened('Ada'));
    expect(special.owner).toBe('Ada');
    expect(() => special.apply(new Minified('Eve'))).toThrow(MissingApplierError);
  });

  it('refuses an event that it has no applier for, and stays usable', () => {
    const thing = new Thing('t');
    expect(() => thing.apply(new MoneyWithdrawn(1))).toThrow(MissingApplierError);
    expect(() => thing.apply(new MoneyWithdrawn(1))).toThrow(/Thing.*@On\(MoneyWithdrawn\)/);
    expect(() => thing.apply(new Undecorated())).toThrow(/Undecorated.*@EventType/);
    expect(thing.getUncommittedEvents()).toEqual([]);
    thing.apply(new Renamed('y'));
    expect(thing.name).toBe('y');
  });

  it('takes nothing any more after an applier threw', () => {
    const thing = new Thing('t');
    thing.apply(new Renamed('x'));
    expect(() => thing.apply(new Exploded())).toThrow(new RangeError('half way'));
    expect(thing.getUncommittedEvents()).toEqual([new Renamed('x')]);
    expect(() => thing.apply(new Renamed('y'))).toThrow(AggregateUnusableError);
    expect(() => thing.apply(new Renamed('y'))).toThrow(/half changed/);
  });

  it('keeps its events apart from the state that appliers make of them', () => {
    @EventType('root.Listed')
    class Listed {
      constructor(readonly items: string[]) {}
    }
    class Basket extends AggregateRoot {
      items: string[] = [];
      @On(Listed) protected onListed({ items }: Listed): void {
        this.items = items;
        this.items.push('changed');
      }
    }
    const basket = new Basket('b');
    basket.apply(new Listed(['a']));
    expect(basket.items).toEqual(['a', 'changed']);
    expect(basket.getUncommittedEvents()).toEqual([new Listed(['a'])]);
  });

  it('does not take the @On method of one event for another of that name', () => {
    class Deposited {}
    class Sum extends AggregateRoot {
      sum = 0;
      @On(Renamed) protected onDeposited(): void {
        this.sum++;
      }
    }
    expect(() => new Sum('s').apply(new Deposited())).toThrow(MissingApplierError);
  });

  it('refuses an applier that is asynchronous', () => {
    class Late extends AggregateRoot {
      @On(Noted) protected async onNoted(): Promise<void> {}
    }
    expect(() => new Late('l').apply(new Noted())).toThrow(/asynchronous/);
  });

  it('counts versions while it is loaded from history', () => {
    const account = new Account('a');
    account.loadFromHistory([new AccountOpened('Ada'), new MoneyDeposited(5)]);
    expect([account.version, account.balance, account.getUncommittedEvents()]).toEqual([2, 5, []]);
  });

  it('changes no unique value while stored events are applied', () => {
    @Aggregate('root-named', { events: [Renamed] })
    class Named extends AggregateRoot {
      onRenamed({ to }: Renamed): void {
        this.reserve('name', to);
      }
    }
    const named = new Named('a');
    named.loadFromHistory([new Renamed('old')]);
    named.apply(new Renamed('older'), { fromHistory: true });
    expect(lifecycleOf(named).unique).toEqual([]);
    named.apply(new Renamed('new'));
    named.release('name', 'old');
    expect(lifecycleOf(named).unique).toEqual([
      { action: 'reserve', constraint: 'name', value: 'new' },
      { action: 'release', constraint: 'name', value: 'old' },
    ]);
  });

  it('queues an event without applying it where it is told to', () => {
    const account = Account.open('a', 'Ada');
    account.apply(new MoneyDeposited(5), { skipHandler: true });
    expect([account.balance, account.getUncommittedEvents().length]).toEqual([0, 2]);
  });

  it('is not committed by hand', () => {
    expect(() => Account.open('a', 'Ada').commit()).toThrow(/Remove commit\(\)/);
  });

  it('has no fields but its state', () => {
    expect(Object.keys(Account.open('a', 'Ada')).toSorted()).toEqual(['balance', 'id', 'owner']);
  });
});
