// What tests queries, the feed and streams in src/dynamodb.
import '../subscription/stream-follower.spec.js';
import '../subscription/stream-readers.spec.js';
import '../dynamodb/event-stream.spec.js';
import '../dynamodb/event-stream.int-spec.js';
import '../nest/stream-handler.e2e-spec.js';
import '../dynamodb/query.int-spec.js';
import '../dynamodb-event-store.int-spec.js';
import '../nest/projections.e2e-spec.js';
import '../nest/streams.e2e-spec.js';
