import { InMemoryEventStore } from '../src/index.js';
import { eventStoreContract, type OpenStore } from './contract/event-store-contract.js';
import { queryContract } from './contract/query-contract.js';

const open: OpenStore = async (registry, tenants) => ({
  store: new InMemoryEventStore(registry, tenants),
  close: async () => {},
});

eventStoreContract('InMemoryEventStore', open);
queryContract('InMemoryEventStore', open);
