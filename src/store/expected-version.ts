/** The stream must not exist yet. */
export const NO_STREAM = 0;

/** Append behind whatever is there. Costs a read of the head, and another for each race lost. */
export const ANY_VERSION = 'any';

/** The version the stream must be at for an append to happen: a number, `NO_STREAM` or `ANY_VERSION`. */
export type ExpectedVersion = number | typeof ANY_VERSION;
