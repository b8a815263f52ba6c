import type { TableWrite } from '../store/table-write.js';
import { listDifference, valueText } from './list-difference.js';

export function writeDifference(expected: readonly TableWrite[], actual: readonly TableWrite[]): string {
  return listDifference(expected, actual, writeLine);
}

/** What is done, to which table, and the rest, on one line. */
export function writeLine(write: TableWrite): string {
  const [[action, target] = [], ...others] = Object.entries(Object(write) as Record<string, unknown>);
  // A slip of the test, such as an item in the place of a write, is shown as it is.
  if (others.length > 0 || typeof target !== 'object' || target === null || !('TableName' in target)) {
    return `${valueText(write)} (no write)`;
  }
  const { TableName, ...rest } = target;
  return `${action} ${String(TableName)} ${valueText(rest)}`;
}
