/**
 * What a test expected did not come true. Its message holds the whole difference, payloads included, as it is for the
 * eyes of whoever wrote the test.
 *
 * Not an AssertionError of Node: under Jest that one is no instance of the test's own `Error`, and Jest and Vitest print
 * a difference of their own beside its message.
 */
export class ScenarioFailedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, 'name', { value: 'ScenarioFailedError', configurable: true, enumerable: false });
  }
}
