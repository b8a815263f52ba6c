/** Nobody waits any longer. It has the name that the SDK gives to an end which it notices itself. */
export class WaitOverError extends Error {
  constructor(
    override readonly name: 'TimeoutError' | 'AbortError',
    message: string,
  ) {
    super(message);
  }
}

/**
 * What a request becomes, unless its time is up or its caller ends it before. It is over then also where the SDK does not
 * listen to the signal, as while it waits for credentials.
 *
 * @throws WaitOverError
 */
export async function withinTime<T>(
  milliseconds: number,
  run: (signal: AbortSignal) => Promise<T>,
  caller?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const end = (name: WaitOverError['name'], message: string) => controller.abort(new WaitOverError(name, message));
  const endByCaller = () => end('AbortError', 'Its caller ended it.');
  const over = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as WaitOverError), { once: true });
  });
  // Not that of AbortSignal.timeout, which lets the process end: what it waits for may hold no handle either.
  const timer = setTimeout(() => end('TimeoutError', `No answer in ${Math.round(milliseconds)} ms.`), milliseconds);
  caller?.addEventListener('abort', endByCaller, { once: true });
  try {
    const first = Promise.race([run(signal), over]);
    if (caller?.aborted) endByCaller();
    return await first;
  } finally {
    clearTimeout(timer);
    caller?.removeEventListener('abort', endByCaller);
  }
}
