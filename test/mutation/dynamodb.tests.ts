// What tests src/dynamodb, the quick ones first.
import '../dynamodb/policies.spec.js';
import '../subscription/stream-follower.spec.js';
import '../subscription/stream-readers.spec.js';
import '../dynamodb/items.int-spec.js';
import '../dynamodb/stored-formats.int-spec.js';
import '../dynamodb/shared-client.int-spec.js';
import '../dynamodb/tables.int-spec.js';
import '../subscription/bookkeeping.int-spec.js';
import '../dynamodb/event-stream.int-spec.js';
import '../dynamodb-event-store.int-spec.js';
import '../dynamodb/query.int-spec.js';
import '../dynamodb/exactly-once.int-spec.js';
import '../dynamodb/outcome.int-spec.js';
import '../dynamodb/faults.int-spec.js';
