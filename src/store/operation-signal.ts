import { OperationAbortedError } from './store-errors.js';

/** @throws OperationAbortedError when the caller has ended the operation */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new OperationAbortedError(signal.reason);
}
