import { inspect } from 'node:util';

/** What is known of a thrown value. */
export interface Thrown {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

const UNKNOWN = 'unknown failure';

/** Anything can be thrown, also what `String` has no text for, or what throws when it is looked at. */
export function describeThrown(thrown: unknown): Thrown {
  try {
    const { name, message, stack } = (thrown ?? {}) as Partial<Record<'name' | 'message' | 'stack', unknown>>;
    return {
      name: typeof name === 'string' ? name : UNKNOWN,
      message: typeof message === 'string' ? message : typeof thrown === 'string' ? thrown : inspect(thrown),
      ...(typeof stack === 'string' && { stack }),
    };
  } catch {
    return { name: UNKNOWN, message: 'It throws when it is looked at.' };
  }
}

/** What of a thrown value may stand in a log: its text may quote a payload. */
export function thrownName(thrown: unknown): string {
  return isOf(Error, thrown) ? describeThrown(thrown).name : `an ${UNKNOWN}`;
}

/** `instanceof`, also of what throws when it is asked. */
export function isOf(type: abstract new (...args: never[]) => object, value: unknown): boolean {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}
