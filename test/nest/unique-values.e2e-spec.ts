import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CommandHandler } from '@nestjs/cqrs';
import {
  Aggregate,
  AggregateRepository,
  AggregateRoot,
  EventType,
  getAggregateRepositoryToken,
  InjectAggregateRepository,
  InvalidCommitError,
  On,
  UniqueConstraintError,
} from '../../src/index.js';
import { startApplication, type Application, type Storage } from '../setup/application.js';

@EventType('unique.Registered')
class Registered {
  constructor(readonly email: string) {}
}

@EventType('unique.EmailGivenUp')
class EmailGivenUp {}

@EventType('unique.Touched')
class Touched {}

@Aggregate('user', { ignores: [Touched] })
class User extends AggregateRoot {
  email = '';

  register(email: string): void {
    this.reserve('email', email);
    this.apply(new Registered(email));
  }

  giveUp(): void {
    this.release('email', this.email);
    this.apply(new EmailGivenUp());
  }

  touch(): void {
    this.apply(new Touched());
  }

  @On(Registered) protected onRegistered({ email }: Registered): void {
    this.email = email;
  }

  @On(EmailGivenUp) protected onGivenUp(): void {
    this.email = '';
  }
}

/** Takes its value where its event is applied, which happens again with each load. */
@Aggregate('guest')
class Guest extends AggregateRoot {
  register(email: string): void {
    this.apply(new Registered(email));
  }

  @On(Registered) protected onRegistered({ email }: Registered): void {
    this.reserve('email', email);
  }

  @On(Touched) protected onTouched(): void {}
}

/** Runs work outside of the running command, as another process would. */
const outside = AsyncLocalStorage.snapshot();

class Run {
  constructor(
    readonly work: (users: AggregateRepository<User>, guests: AggregateRepository<Guest>) => Promise<unknown>,
  ) {}
}

@CommandHandler(Run)
class RunHandler {
  constructor(
    @InjectAggregateRepository(User) private readonly users: AggregateRepository<User>,
    @InjectAggregateRepository(Guest) private readonly guests: AggregateRepository<Guest>,
  ) {}

  execute({ work }: Run): Promise<unknown> {
    return work(this.users, this.guests);
  }
}

describe.each<Storage>(['memory', 'dynamodb'])('unique values of aggregates (%s)', (storage) => {
  let application: Application;

  afterEach(() => application.close());

  const start = async () => {
    application = await startApplication(storage, { features: [User, Guest], providers: [RunHandler] });
  };
  const run = (work: Run['work']) => application.commands.execute(new Run(work));
  const register = (id: string, email: string) =>
    run(async (users) => {
      const user = (await users.find(id)) ?? new User(id);
      user.register(email);
      users.add(user);
    });
  const repository = () =>
    application.module.get<AggregateRepository<User>>(getAggregateRepositoryToken(User), { strict: false });

  it('are stored with the events of a command, in one transaction, and cost nothing else', async () => {
    await start();
    application.requests.splice(0);
    await run(async (users) => {
      const user = new User('ada');
      user.register('ada@example.com');
      users.add(user);
    });
    await run(async (users) => (await users.load('ada')).touch());
    expect(application.requests).toEqual(storage === 'memory' ? [] : ['TransactWriteItems', 'Query', 'PutItem']);
  });

  it('refuse the command that takes one of another aggregate, and store nothing of it', async () => {
    await start();
    await register('ada', 'a@example.com');
    const attempt = register('ben', 'a@example.com');
    await expect(attempt).rejects.toThrow(UniqueConstraintError);
    await expect(attempt).rejects.toMatchObject({ constraint: 'email', stream: { aggregateId: 'ben' } });
    expect(await repository().exists('ben')).toBe(false);
    await register('ada', 'a@example.com');
  });

  it('pass from one aggregate to another within a command, and from one to nobody', async () => {
    await start();
    await register('ada', 'a@example.com');
    await run(async (users) => {
      const [ada, ben] = [await users.load('ada'), new User('ben')];
      ben.register(ada.email);
      users.add(ben);
      ada.giveUp();
    });
    await expect(register('ada', 'a@example.com')).rejects.toThrow(UniqueConstraintError);
    await run(async (users) => (await users.load('ben')).giveUp());
    await register('ada', 'a@example.com');
  });

  it('may be taken in an applier, which loads do not repeat', async () => {
    await start();
    const withGuest = (id: string, email: string) =>
      run(async (_, guests) => {
        const guest = new Guest(id);
        guest.register(email);
        guests.add(guest);
      });
    await withGuest('g', 'g@example.com');
    await expect(withGuest('h', 'g@example.com')).rejects.toThrow(UniqueConstraintError);
    application.requests.splice(0);
    await run(async (_, guests) => (await guests.load('g')).apply(new Touched()));
    expect(application.requests).toEqual(storage === 'memory' ? [] : ['Query', 'PutItem']);
    await expect(register('ada', 'g@example.com')).rejects.toThrow(UniqueConstraintError);
  });

  it('are decided anew when the race for the aggregate was lost', async () => {
    await start();
    await register('ada', 'a@example.com');
    let runs = 0;
    await run(async (users) => {
      const ada = await users.load('ada');
      if (runs++ === 0) {
        const other = await repository().loadAt('ada', { version: 1 });
        expect(other.email).toBe('a@example.com');
        await outside(() => register('ada', 'b@example.com'));
      }
      ada.giveUp();
    });
    expect(runs).toBe(2);
    await register('ben', 'b@example.com');
    await expect(register('ben', 'a@example.com')).rejects.toThrow(UniqueConstraintError);
  });

  it('need an event that says so, and are forgotten with uncommit', async () => {
    await start();
    await register('ada', 'a@example.com');
    const alone = run(async (users) => (await users.load('ada')).reserve('email', 'b@example.com'));
    await expect(alone).rejects.toThrow(InvalidCommitError);
    await run(async (users) => {
      const ada = await users.load('ada');
      ada.reserve('email', 'b@example.com');
      ada.uncommit();
      ada.touch();
    });
    await register('ben', 'b@example.com');
  });

  it('can be saved without a command, once', async () => {
    await start();
    const user = new User('ada');
    user.register('a@example.com');
    await repository().save(user);
    application.requests.splice(0);
    user.touch();
    await repository().save(user);
    expect(application.requests).toEqual(storage === 'memory' ? [] : ['PutItem']);
    await expect(register('ben', 'a@example.com')).rejects.toThrow(UniqueConstraintError);
    expect(() => user.giveUp()).not.toThrow();
  });

  it('are not taken on an aggregate that is read only or whose command has finished', async () => {
    await start();
    await register('ada', 'a@example.com');
    const past = await repository().loadAt('ada', { version: 1 });
    expect(() => past.reserve('email', 'x')).toThrow(expect.objectContaining({ code: 'AGGREGATE_UNUSABLE' }));
    let kept: User | undefined;
    await run(async (users) => (kept = await users.load('ada')));
    expect(() => kept!.release('email', 'x')).toThrow(expect.objectContaining({ code: 'AGGREGATE_UNUSABLE' }));
  });
});
