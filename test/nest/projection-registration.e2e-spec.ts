import { Inject, Injectable, Scope, type Provider } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { EventType, On, Projection, ProjectionError, Subscriptions, type ProjectionOptions } from '../../src/index.js';
import { startApplication } from '../setup/application.js';
import { Account, MoneyDeposited } from '../setup/bank.js';

const start = (...providers: Provider[]) => startApplication('memory', { features: [Account], providers });

/** A projection as given, with a handler. */
function projectionWith(name: string, options?: ProjectionOptions, scope = Scope.DEFAULT) {
  @Injectable({ scope })
  @Projection(name, options)
  class Deposits {
    @On(MoneyDeposited) deposited(): void {}
  }
  return Deposits;
}

@EventType('registration.Unheard')
class Unheard {}

class NoEvent {}

describe('a projection is refused', () => {
  it.each<[string, ProjectionOptions, RegExp]>([
    ['', {}, /needs a name/],
    ['a\ud800', {}, /needs a name/],
    ['deposits', { batch: 0 }, /batch .* from 1 to 50/],
    ['deposits', { batch: 51 }, /batch .* from 1 to 50/],
    ['deposits', { batch: 1.5 }, /batch .* from 1 to 50/],
    ['deposits', { concurrency: 0 }, /concurrency/],
    ['deposits', { attempts: 0 }, /attempts/],
    ['deposits', { from: new Date(Number.NaN) }, /from must be/],
    ['deposits', { from: 'end' as 'beginning' }, /from must be/],
    ['deposits', { poison: 'ignore' as 'skip' }, /poison must be/],
    ['deposits', { inline: true, batch: 2 }, /batch means nothing with inline/],
  ])('when it is declared as %j with %j', (name, options, text) => {
    expect(() => projectionWith(name, options)).toThrow(ProjectionError);
    expect(() => projectionWith(name, options)).toThrow(text);
    expect(() => projectionWith(name, options)).toThrow('@Projection on Deposits: ');
  });

  it('at start-up when nothing would call its methods', async () => {
    @Injectable()
    class Forgotten {
      @On(MoneyDeposited) deposited(): void {}
    }
    @Injectable()
    class Derived extends projectionWith('deposits') {}
    for (const provider of [Forgotten, { provide: 'by-factory', useFactory: () => new Forgotten() }]) {
      await expect(start(provider)).rejects.toThrow(/Forgotten has methods with @On, and is no projection/);
    }
    await expect(start(Derived)).rejects.toThrow(/Derived .* decorate the class with @Projection/);
  });

  it('at start-up when it is made anew for each request', async () => {
    const scoped = start(projectionWith('deposits', {}, Scope.REQUEST));
    await expect(scoped).rejects.toThrow(/Deposits is request-scoped .* has to be a singleton/);
    await expect(start(projectionWith('deposits', {}, Scope.TRANSIENT))).rejects.toThrow(/has to be a singleton/);

    @Injectable({ scope: Scope.REQUEST })
    class Current {}
    @Injectable()
    @Projection('depends')
    class Depends {
      constructor(@Inject(Current) readonly current: Current) {}
      @On(MoneyDeposited) deposited(): void {}
    }
    await expect(start(Current, Depends)).rejects.toThrow(/Depends .* depends on what is/);
  });

  it('at start-up when it follows nothing', async () => {
    @Injectable()
    @Projection('deaf')
    class Deaf {}
    @Injectable()
    @Projection('unheard')
    class OfNobody {
      @On(Unheard) unheard(): void {}
    }
    @Injectable()
    @Projection('no-event')
    class OfNoEvent {
      @On(NoEvent) happened(): void {}
    }
    await expect(start(Deaf)).rejects.toThrow(/Deaf handles no event/);
    await expect(start(OfNobody)).rejects.toThrow(/No aggregate has the events of OfNobody/);
    await expect(start(OfNoEvent)).rejects.toThrow(/NoEvent/);
    await expect(start(projectionWith('deposits', { aggregates: [NoEvent] }))).rejects.toThrow(/what is no aggregate/);
  });
});

it('a projection that is provided under two tokens is one, and other providers are none', async () => {
  const Deposits = projectionWith('deposits', { aggregates: [Account, 'test-account'] });
  const { module, close } = await start(
    Deposits,
    { provide: 'alias', useExisting: Deposits },
    { provide: 'nothing', useValue: null },
    { provide: 'bare', useValue: Object.create(null) as object },
    { provide: 'arrow', useFactory: () => undefined },
    { provide: 'class', useValue: NoEvent },
  );
  expect((await module.get(Subscriptions).status('deposits')).state).toBe('running');
  await close();
});
