// What tests tables and policies in src/dynamodb.
import '../dynamodb/policies.spec.js';
import '../dynamodb/provision.spec.js';
import '../dynamodb/tables.int-spec.js';
import '../nest/relay-policy.e2e-spec.js';
import '../nest/policies.e2e-spec.js';
