/** What of a thrown value may stand in a log: its text may quote a payload. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : 'an unknown failure';
}
