import { createStreamHandler, Subscriptions, type StreamHandler } from '../../src/index.js';
import type { SubscriptionWorld } from './subscription-world.js';

/** Something that handles events, as a process or as a function of Lambda does. */
export interface SubscriptionProcess {
  /** For operators. */
  readonly subscriptions: Subscriptions;
  /** Whether it has begun, and misses nothing of what the source tells from now on. */
  isReady(): Promise<boolean>;
  stop(): Promise<void>;
}

/** One of the ways by which events reach a subscription. */
export interface SubscriptionSource {
  /** Whether it brings nothing before the index shows it. */
  readonly waitsForIndex: boolean;
  /** @param subscribe adds the subscriptions, to each that handles events */
  start(world: SubscriptionWorld, subscribe: (subscriptions: Subscriptions) => void): SubscriptionProcess;
}

class StreamFunctionModule {}

export const SUBSCRIPTION_SOURCES = {
  feed: {
    waitsForIndex: true,
    start(world, subscribe) {
      const subscriptions = world.newSubscriptions();
      subscribe(subscriptions);
      subscriptions.start();
      const isReady = () => isReading(subscriptions);
      return { subscriptions, isReady, stop: () => subscriptions.stop() };
    },
  },

  streams: {
    waitsForIndex: false,
    start(world, subscribe) {
      const { stream, settings } = world;
      const subscriptions = world.newSubscriptions();
      subscribe(subscriptions);
      subscriptions.follow(stream, settings.streamTiming);
      const placesBefore = stream.places.length;
      subscriptions.start();
      const isReady = async () =>
        stream.places.length >= placesBefore + stream.all.size && (await isReading(subscriptions));
      return { subscriptions, isReady, stop: () => subscriptions.stop() };
    },
  },

  /** Through the function that users deploy, in as many containers as it is invoked side by side. */
  lambda: {
    waitsForIndex: false,
    start(world, subscribe) {
      const newSubscriptions = () => {
        const subscriptions = world.newSubscriptions();
        subscribe(subscriptions);
        return subscriptions;
      };
      const newContainer = () => {
        const providers = [{ provide: Subscriptions, useFactory: newSubscriptions }];
        return createStreamHandler({ module: StreamFunctionModule, providers }, { logger: false });
      };
      const idle: StreamHandler[] = [];
      world.mapping.enable(async (batch, context) => {
        const container = idle.pop() ?? newContainer();
        try {
          return await container(batch, context);
        } finally {
          idle.push(container);
        }
      });
      const stop = async () => {
        await world.mapping.disable();
        await Promise.all(idle.map((container) => container.close()));
      };
      return { subscriptions: newSubscriptions(), isReady: async () => true, stop };
    },
  },
} satisfies Record<string, SubscriptionSource>;

/** Whether it holds all partitions of its subscriptions, and has read them up to the present. */
async function isReading(subscriptions: Subscriptions): Promise<boolean> {
  const all = await Promise.all(subscriptions.names.map((name) => subscriptions.status(name, 0)));
  const partitions = all.flatMap((status) => status.partitions);
  return partitions.every(({ owner, handledUntil }) => owner !== undefined && handledUntil.getTime() > 0);
}
