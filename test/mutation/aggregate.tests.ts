// What tests src/aggregate.
import '../aggregate/aggregate-root.spec.js';
import '../errors.spec.js';
import '../nest/unit-of-work.e2e-spec.js';
import '../aggregate/aggregate-definition.spec.js';
import '../aggregate/aggregate-snapshot.spec.js';
import '../aggregate/snapshot-writer.spec.js';
import '../nest/requests.e2e-spec.js';
import '../nest/snapshots.e2e-spec.js';
import '../nest/snapshot-migration.e2e-spec.js';
import '../nest/unique-values.e2e-spec.js';
import '../nest/idempotent-commands.e2e-spec.js';
import '../nest/command-context.e2e-spec.js';
import '../nest/projection-registration.e2e-spec.js';
import '../nest/module.e2e-spec.js';
