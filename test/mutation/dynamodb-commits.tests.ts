// What tests commits, reads and bookkeeping in src/dynamodb, the quick ones first.
import '../dynamodb/failure.spec.js';
import '../dynamodb/item-parts.spec.js';
import '../dynamodb/commit-protocol.spec.js';
import '../dynamodb/deadline.spec.js';
import '../dynamodb/within-time.spec.js';
import '../dynamodb/items.int-spec.js';
import '../dynamodb/stored-formats.int-spec.js';
import '../dynamodb/shared-client.int-spec.js';
import '../subscription/bookkeeping.int-spec.js';
import '../dynamodb-event-store.int-spec.js';
import '../dynamodb/exactly-once.int-spec.js';
import '../dynamodb/outcome.int-spec.js';
import '../dynamodb/faults.int-spec.js';
