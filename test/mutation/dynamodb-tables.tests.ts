// What tests tables and policies in src/dynamodb.
import '../dynamodb/policies.spec.js';
import '../dynamodb/tables.int-spec.js';
