import { InMemoryEventStore } from '../src/index.js';
import { eventStoreContract } from './contract/event-store-contract.js';

eventStoreContract('InMemoryEventStore', async (registry) => ({
  store: new InMemoryEventStore(registry),
  close: async () => {},
}));
