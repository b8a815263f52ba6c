/** As much of IAM as the policies of this package use; anything else in one is an error, and never passed over. */

export interface IamPolicy {
  readonly Version: string;
  readonly Statement: readonly IamStatement[];
}

export interface IamStatement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface IamRequest {
  readonly action: string;
  readonly resource: string;
  /** Values by condition key: a text for a key of one value, a list for one of several. */
  readonly context: Readonly<Record<string, string | readonly string[]>>;
}

/** Whether identity-based policies let a request through: one of them must allow it, and none may deny it. */
export function allows(policies: readonly IamPolicy[], request: IamRequest): boolean {
  const effects = policies.flatMap(({ Statement }) =>
    Statement.filter((statement) => applies(statement, request)).map(({ Effect }) => Effect),
  );
  const unknown = effects.find((effect) => effect !== 'Allow' && effect !== 'Deny');
  if (unknown !== undefined) throw new Error(`This is no effect: ${unknown}`);
  return effects.includes('Allow') && !effects.includes('Deny');
}

function applies(statement: IamStatement, { action, resource, context }: IamRequest): boolean {
  const strange = Object.keys(statement).find(
    (name) => !['Sid', 'Effect', 'Action', 'Resource', 'Condition'].includes(name),
  );
  if (strange !== undefined) throw new Error(`This element is not evaluated: ${strange}`);
  return (
    statement.Action.some((pattern) => isLike(pattern.toLowerCase(), action.toLowerCase(), {})) &&
    statement.Resource.some((pattern) => isLike(pattern, resource, context)) &&
    Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) => holds(operator, [wanted].flat(), context[key], context)),
    )
  );
}

function holds(
  operator: string,
  wanted: readonly string[],
  found: string | readonly string[] | undefined,
  context: IamRequest['context'],
): boolean {
  const like = (value: string) => wanted.some((pattern) => isLike(pattern, value, context));
  const equal = (value: string) => wanted.some((text) => resolved(text, context)?.join('') === value);
  switch (operator) {
    case 'Null':
      return wanted.includes(String(found === undefined || found.length === 0));
    // True of a request without the key.
    case 'ForAllValues:StringLike':
      return [found ?? []].flat().every(like);
    case 'ForAllValues:StringEquals':
      return [found ?? []].flat().every(equal);
    case 'StringLike':
      return typeof found === 'string' && like(found);
    case 'StringEquals':
      return typeof found === 'string' && equal(found);
    default:
      throw new Error(`This operator is not evaluated: ${operator}`);
  }
}

const WILDCARDS: Readonly<Record<string, string>> = { '*': '[^]*', '?': '[^]' };

function isLike(pattern: string, value: string, context: IamRequest['context']): boolean {
  const known = expressions.get(pattern);
  if (known) return known.test(value);
  const parts = resolved(pattern, context, WILDCARDS);
  if (parts === undefined) return false;
  const expression = new RegExp(`^${parts.join('')}$`, 'u');
  // Variables have another value with each request, but for those that stand for a wildcard.
  if (!/\$\{[^*?$]/.test(pattern)) expressions.set(pattern, expression);
  return expression.test(value);
}

const expressions = new Map<string, RegExp>();

/** A pattern part by part, with its variables filled in; nothing when one has no value, as nothing matches then. */
function resolved(
  pattern: string,
  context: IamRequest['context'],
  wildcards?: Readonly<Record<string, string>>,
): string[] | undefined {
  const parts: string[] = [];
  for (const [token] of pattern.matchAll(/\$\{[^}]*\}|[^]/gu)) {
    let text = token;
    if (token.startsWith('${')) {
      const name = token.slice(2, -1);
      const value = ['*', '?', '$'].includes(name) ? name : context[name];
      if (typeof value !== 'string') return undefined;
      text = value;
    } else if (wildcards?.[token]) {
      parts.push(wildcards[token]);
      continue;
    }
    parts.push(wildcards ? text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&') : text);
  }
  return parts;
}
