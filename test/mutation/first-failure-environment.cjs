const { TestEnvironment } = require('jest-environment-node');

/** A mutant is caught by its first failing test; the tests behind it are skipped. */
module.exports = class FirstFailureEnvironment extends TestEnvironment {
  #caught = false;

  async handleTestEvent({ name, test }) {
    if (name === 'test_fn_failure' || name === 'hook_failure') this.#caught = true;
    else if (name === 'test_start' && this.#caught) test.mode = 'skip';
  }
};
