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
  const { $fault, status, isNamed } = answerOf(error);
  if (status > 0 && !isNamed) return 'unknown';
  const name = failureName(error);
  if (NOT_APPLIED.has(name)) return 'not-applied';
  if (UNKNOWN.has(name)) return 'unknown';
  return $fault === 'client' && status >= 400 && status < 500 ? 'rejected' : 'unknown';
}

interface SdkError {
  readonly $fault?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly __type?: unknown;
}

/**
 * The answer behind a failure; its status is 0 where there was none. DynamoDB names each of its errors in `__type`. To
 * the SDK any 4xx is the fault of the client, also one without that: so answers a proxy or a gateway, which may have
 * passed the write on before.
 */
function answerOf(error: unknown) {
  const { $fault, $metadata, __type: type } = (error ?? {}) as SdkError;
  return { $fault, status: $metadata?.httpStatusCode ?? 0, isNamed: typeof type === 'string' && type !== '' };
}

/** An answer may hold anything where its name should be; what looks otherwise is not passed on. */
const NAME = /^[A-Za-z][A-Za-z0-9_.]{0,63}$/;

/** What the SDK calls an answer that has no name. */
const NO_NAME = 'Unknown';

/** A name for messages and logs. The error's own message is left out, as it may quote what was sent. */
export function failureName(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const reasons = new Set(cancellationReasons(error).map(({ Code }) => Code));
  const shown = [...reasons].filter((reason) => isName(reason) && reason !== 'None');
  const { status } = answerOf(error);
  const unnamed = status > 0 ? `HTTP ${status}` : 'unknown failure';
  return ([code, name].find(isName) ?? unnamed) + (shown.length > 0 ? ` (${shown.join(', ')})` : '');
}

function isName(text: unknown): text is string {
  return typeof text === 'string' && NAME.test(text) && text !== NO_NAME;
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
