import { ScenarioFailedError } from './scenario-failed-error.js';

/** Asserts something of a result that is still to come, and passes the result on. */
export function assertLater<T>(result: Promise<T>, assertion: (result: T) => unknown): Promise<T> {
  const call = new Error();
  return result.then(async (settled) => {
    try {
      await assertion(settled);
    } catch (error) {
      throw calledFrom(call, error);
    }
    return settled;
  });
}

/** The test is not on the stack any more when an assertion had to wait; where it made it was kept. */
function calledFrom({ stack = '' }: Error, error: unknown): unknown {
  if (error instanceof ScenarioFailedError) {
    const frames = stack.slice(stack.indexOf('\n'));
    Object.defineProperty(error, 'stack', { value: `${String(error)}${frames}`, writable: true, configurable: true });
  }
  return error;
}
