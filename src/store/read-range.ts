import type { ReadRange } from './event-store.js';
import { wholeNumber } from './whole-number.js';

/** Versions stay below the sort key of the snapshot, 2^53 − 1. */
export const MAX_VERSION = Number.MAX_SAFE_INTEGER - 1;

/** A range with its defaults filled in. */
export interface VersionRange {
  readonly from: number;
  readonly to: number;
  readonly forward: boolean;
  readonly limit: number;
}

/** @throws RangeError when a bound or the limit is not a whole number */
export function versionRange({ fromVersion, toVersion, direction, limit }: ReadRange = {}): VersionRange {
  return {
    from: Math.max(1, wholeNumber('fromVersion', fromVersion) ?? 1),
    to: Math.min(MAX_VERSION, wholeNumber('toVersion', toVersion) ?? MAX_VERSION),
    forward: direction !== 'backward',
    limit: wholeNumber('limit', limit) ?? Infinity,
  };
}
