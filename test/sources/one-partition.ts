import { On } from '../../src/index.js';
import type { TableWrite } from '../../src/store/table-write.js';
import { Delivery } from '../../src/subscription/delivery.js';
import { streamHash } from '../../src/subscription/gate.js';
import { Parking } from '../../src/subscription/parking.js';
import { Projection, type PoisonPolicy, type ProjectionContext } from '../../src/subscription/projection.js';
import { ProjectionHandler } from '../../src/subscription/projection-handler.js';
import { ProjectionMethods } from '../../src/subscription/projection-methods.js';
import { newWorld, streamOf } from '../contract/subscription-source-contract.js';
import { MoneyDeposited } from '../setup/bank.js';

@Projection('view')
class View {
  /** The versions that it cannot handle. */
  failsAt: readonly number[] = [];

  @On(MoneyDeposited) deposited(_: MoneyDeposited, { recorded, transaction }: ProjectionContext): void {
    const { version } = recorded;
    if (this.failsAt.includes(version)) throw new Error('The view is broken.');
    transaction.put({ TableName: 'view', Item: { id: 'a', version } });
  }
}

/**
 * One partition with one aggregate, and processes that have it one after the other, or still believe so: each delivers what
 * a test says, in the order in which it says so.
 */
export class OnePartition {
  private readonly world = newWorld();
  readonly bookkeeping = this.world.bookkeeping;
  readonly feed = this.world.feed;
  private readonly stream = streamOf('a');
  private readonly key = streamHash(this.stream);
  private readonly parking = new Parking(this.bookkeeping, 'view');
  private readonly events: ReturnType<typeof this.world.write>;

  constructor(events: number) {
    this.events = this.world.write(this.stream, { events });
  }

  /** What is stored of the view, in the order in which it was. */
  get stored(): readonly unknown[] {
    return this.bookkeeping.projected.map(
      ({ writes }) => (writes[0] as Extract<TableWrite, { Put: unknown }>).Put.Item.version,
    );
  }

  async parked(): Promise<readonly number[]> {
    return (await this.parking.list()).map(({ parked }) => parked.version);
  }

  /** A process that knows what is parked so far. */
  async newProcess(poison: PoisonPolicy) {
    const { feed, parking, key, events, world } = this;
    const view = new View();
    const methods = new ProjectionMethods(view, world.registry);
    const handler = new ProjectionHandler(methods, 1, { name: 'view', generation: 1 }, this.bookkeeping);
    const options = { concurrency: 1, attempts: 1, poison };
    const { signal } = new AbortController();
    const delivery = new Delivery(handler, feed, parking, feed.partitionOf(this.stream), options, () => {}, signal);
    delivery.remember(await parking.list());
    return {
      view,
      /** The feed shows these, one after the other. */
      deliver: async (...versions: readonly number[]) => {
        for (const version of versions) {
          await delivery.deliver([{ key, event: events[version - 1]!, fromVersion: version }]);
        }
      },
      /** The feed shows an event, but none of those before it. */
      deliverAfterGap: (fromVersion: number, version: number) =>
        delivery.deliver([{ key, event: events[version - 1]!, fromVersion }]),
      /** What is parked is handled again, as it stood before. */
      retry: async (...versions: readonly number[]) => {
        for (const entry of await parking.list()) {
          if (versions.length > 0 && !versions.includes(entry.parked.version)) continue;
          await parking.request(entry, 'retry');
          const requested = (await parking.list()).find(({ parked }) => parked.id === entry.parked.id)!;
          await delivery.settle(requested);
          await parking.remove(requested);
        }
      },
      /** Of what is being delivered, or was when that failed. */
      lastHandled: () => delivery.lastHandled(key),
    };
  }
}
