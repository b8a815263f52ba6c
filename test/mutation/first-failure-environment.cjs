const { TestEnvironment } = require('jest-environment-node');

/** A mutant is caught by its first failing test; the tests behind it are skipped, and so are their hooks. */
module.exports = class FirstFailureEnvironment extends TestEnvironment {
  handleTestEvent({ name }, { rootDescribeBlock }) {
    if (name === 'test_fn_failure' || name === 'hook_failure') skipAll(rootDescribeBlock);
  }
};

function skipAll({ children }) {
  for (const child of children) {
    if (child.type === 'describeBlock') skipAll(child);
    else child.mode = 'skip';
  }
}
