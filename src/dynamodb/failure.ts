/**
 * What a failed request says about a write it carried:
 * `rejected` – not applied, and asking again would not help;
 * `not-applied` – not applied this time, ask again;
 * `unknown` – it may have been applied.
 */
export type FailureKind = 'rejected' | 'not-applied' | 'unknown';

const NOT_APPLIED = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
  'ThrottlingError',
  'ThrottledException',
  'TransactionConflictException',
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'CredentialsProviderError',
]);

/** An earlier request with our token is still at work: its end is not known yet. */
const UNKNOWN = new Set(['TransactionInProgressException']);

export function failureKind(error: unknown): FailureKind {
  const name = failureName(error);
  if (NOT_APPLIED.has(name)) return 'not-applied';
  if (UNKNOWN.has(name)) return 'unknown';
  const { $fault, $metadata } = error as { $fault?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode ?? 0;
  return $fault === 'client' && status >= 400 && status < 500 ? 'rejected' : 'unknown';
}

/** A name for messages and logs. The error's own message is left out, as it may quote what was sent. */
export function failureName(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'unknown failure';
}
