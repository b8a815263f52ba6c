import { InMemoryEventStore } from '../src/index.js';
import { bookkeepingContract } from './contract/bookkeeping-contract.js';
import { eventStoreContract, type OpenStore } from './contract/event-store-contract.js';

const open: OpenStore = async (registry) => ({ store: new InMemoryEventStore(registry), close: async () => {} });

eventStoreContract('InMemoryEventStore', open);
bookkeepingContract('InMemoryEventStore', open);
