import { InMemoryEventStore } from '../src/index.js';
import { bookkeepingContract } from './contract/bookkeeping-contract.js';
import { eventStoreContract, type OpenStore } from './contract/event-store-contract.js';
import { queryContract } from './contract/query-contract.js';

const open: OpenStore = async (registry, tenants) => ({
  store: new InMemoryEventStore(registry, tenants),
  close: async () => {},
});

eventStoreContract('InMemoryEventStore', open);
bookkeepingContract('InMemoryEventStore', open);
queryContract('InMemoryEventStore', open);
