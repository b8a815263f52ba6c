import { FAULTS, type Fault } from '../faulty-proxy.js';
import type { Random } from '../random.js';
import type { Operation } from './operation.js';

/** How late the late faults are, as parts of the deadline: after the SDK has waited, between two attempts, after all. */
export const LATENESS = [0.2, 0.6, 1.6] as const;

export type Lateness = (typeof LATENESS)[number];

/** One operation whose requests meet certain faults. */
export interface Cell {
  readonly operation: Operation;
  /** Faults by the number of the request that meets them, from 1, as the database would count. */
  readonly faults: ReadonlyMap<number, Fault>;
  readonly lateness: Lateness;
  readonly maxAttempts: 1 | 'default';
}

const MAX_ATTEMPTS = [1, 'default'] as const;

/** An operation, and how many requests it makes when all is well. */
export interface CountedOperation {
  readonly operation: Operation;
  readonly requests: number;
}

/** Every operation, each of its requests, every fault. */
export function singleCells(operations: readonly CountedOperation[]): Cell[] {
  return operations.flatMap(({ operation, requests }) =>
    Array.from({ length: requests }, (_, index) => index + 1).flatMap((request) =>
      FAULTS.flatMap((fault) =>
        (fault.startsWith('late') ? LATENESS : LATENESS.slice(0, 1)).flatMap((lateness) =>
          MAX_ATTEMPTS.map((maxAttempts) => ({
            operation,
            faults: new Map([[request, fault]]),
            lateness,
            maxAttempts,
          })),
        ),
      ),
    ),
  );
}

/** Two faults in one operation, the second perhaps in a request that only the first one caused. */
export function pairCell(operations: readonly CountedOperation[], random: Random): Cell {
  const { operation, requests } = random.pick(operations);
  const first = 1 + random.below(requests);
  const second = first + 1 + random.below(Math.max(2, requests - first));
  return {
    operation,
    faults: new Map([
      [first, random.pick(FAULTS)],
      [second, random.pick(FAULTS)],
    ]),
    lateness: random.pick(LATENESS),
    maxAttempts: random.pick(MAX_ATTEMPTS),
  };
}

export function cellText({ operation, faults, lateness, maxAttempts }: Cell): string {
  const met = [...faults].map(([request, fault]) =>
    fault.startsWith('late') ? `request ${request} ${fault} by ${lateness} deadlines` : `request ${request} ${fault}`,
  );
  return `${operation.name}, ${met.join(', ')}, maxAttempts ${maxAttempts}`;
}
