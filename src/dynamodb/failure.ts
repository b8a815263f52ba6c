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

/** An answer may hold anything where its name should be; what looks otherwise is not passed on. */
const NAME = /^[A-Za-z][A-Za-z0-9_.]{0,63}$/;

/** A name for messages and logs. The error's own message is left out, as it may quote what was sent. */
export function failureName(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const reasons = new Set(cancellationReasons(error).map(({ Code }) => Code));
  const shown = [...reasons].filter((reason) => isName(reason) && reason !== 'None');
  return ([code, name].find(isName) ?? 'unknown failure') + (shown.length > 0 ? ` (${shown.join(', ')})` : '');
}

function isName(text: unknown): text is string {
  return typeof text === 'string' && NAME.test(text);
}

/** Why one item of a transaction was refused. */
interface CancellationReason {
  readonly Code?: string;
  readonly Item?: StoredAttributes;
}

export type StoredAttributes = Readonly<Record<string, { readonly S?: string }>>;

/** The reasons of a cancelled transaction, item by item; none for any other failure. */
export function cancellationReasons(error: unknown): readonly CancellationReason[] {
  const { CancellationReasons: reasons } = (error ?? {}) as { CancellationReasons?: readonly CancellationReason[] };
  return Array.isArray(reasons) ? reasons : [];
}
