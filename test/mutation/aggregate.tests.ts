// What tests src/aggregate.
import '../aggregate/aggregate-root.spec.js';
import '../nest/unit-of-work.e2e-spec.js';
import '../nest/snapshots.e2e-spec.js';
import '../nest/unique-values.e2e-spec.js';
import '../nest/module.e2e-spec.js';
