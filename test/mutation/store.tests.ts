// What tests src/store: the in-memory store keeps the contract by the same code, in less time.
import '../in-memory-event-store.spec.js';
import '../errors.spec.js';
import '../store/commit-limits.spec.js';
import '../store/side-by-side.spec.js';
import '../subscription/sources.spec.js';
import '../subscription/bookkeeping.int-spec.js';
import '../nest/unique-values.e2e-spec.js';
import '../nest/inline-projections.e2e-spec.js';
import '../nest/idempotent-commands.e2e-spec.js';
import '../nest/projections.e2e-spec.js';
import '../dynamodb/outcome.int-spec.js';
