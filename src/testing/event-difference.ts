import { classOf, eventTypeOf } from '../event/event-type.js';
import { listDifference, valueText } from './list-difference.js';

export function eventDifference(expected: readonly unknown[], actual: readonly unknown[]): string {
  return listDifference(expected, actual, eventLine);
}

/** The durable name, the class and its fields, on one line. */
export function eventLine(event: unknown): string {
  if (typeof event !== 'object' || event === null) return valueText(event);
  const name = eventTypeOf(classOf(event))?.name;
  return name === undefined ? `${valueText(event)} (no event class)` : `${name} ${valueText(event)}`;
}
