import { InvalidStreamIdError } from './event-errors.js';

/** Names one aggregate's events. */
export interface StreamId {
  /** The tenant that owns the stream; leave it out in an application without tenants. */
  readonly tenantId?: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
}

/** Longest partition key, of a table or an index, that DynamoDB takes (Amazon DynamoDB Developer Guide, "Quotas"). */
export const MAX_KEY_BYTES = 2048;

/**
 * One text for a stream: tenant, type and id joined with `#`, every `#` and `%` inside a part escaped, so that two
 * different streams never share a key.
 *
 * @throws InvalidStreamIdError when a part is empty or not well-formed Unicode, or the key has over 2,048 bytes
 */
export function streamKey({ tenantId, aggregateType, aggregateId }: StreamId): string {
  return joined(
    [tenantKey(tenantId), keyPart('aggregateType', aggregateType), keyPart('aggregateId', aggregateId)],
    'the aggregate id',
  );
}

/** The stream that has a key; nothing where no stream has it. */
export function streamOfKey(key: unknown): StreamId | undefined {
  const parts = String(key)
    .split('#')
    .map((part) => part.replace(/%2[35]/g, (escaped) => (escaped === '%23' ? '#' : '%')));
  const [tenantId, aggregateType = '', aggregateId = ''] = parts;
  const stream = { ...(tenantId && { tenantId }), aggregateType, aggregateId };
  return isKeyOf(stream, key) ? stream : undefined;
}

export function isKeyOf(stream: StreamId, key: unknown): boolean {
  try {
    return streamKey(stream) === key;
  } catch {
    return false;
  }
}

/**
 * Likewise for what stands beside streams: the tenant first, so that access can be granted by it.
 *
 * @throws InvalidStreamIdError when the tenant or a part is empty or not well-formed Unicode, or the key is too long
 */
export function joinedKey(tenantId: string | undefined, ...parts: readonly string[]): string {
  return joined([tenantKey(tenantId), ...parts.map((part) => keyPart('A part of a key', part))], 'its parts');
}

/** The tenant as the first part of a key; empty without one. */
export function tenantKey(tenantId: string | undefined): string {
  return tenantId === undefined ? '' : keyPart('tenantId', tenantId);
}

/** A user as the indexes name one: the tenant first, so that no two tenants share a key. */
export function userKey(tenantId: string | undefined, userId: string): string {
  return `${tenantKey(tenantId)}#${userId}`;
}

/** The stream as a message shows it. */
export function streamName({ tenantId, aggregateType, aggregateId }: StreamId): string {
  return `${aggregateType} "${aggregateId}"${tenantId === undefined ? '' : ` of tenant "${tenantId}"`}`;
}

function joined(parts: readonly string[], toShorten: string): string {
  const key = parts.join('#');
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_KEY_BYTES) {
    throw new InvalidStreamIdError(
      `The key of this stream has ${bytes} bytes, and DynamoDB takes ${MAX_KEY_BYTES}: shorten ${toShorten}. (Each # and % in it counts 3.)`,
    );
  }
  return key;
}

/** @throws InvalidStreamIdError when it is empty, no text or not well-formed Unicode */
export function keyPart(name: string, part: unknown): string {
  if (typeof part !== 'string') throw new InvalidStreamIdError(`${name} must be a string, and is ${typeName(part)}.`);
  if (part === '') throw new InvalidStreamIdError(`${name} must not be empty.`);
  if (!part.isWellFormed()) {
    throw new InvalidStreamIdError(`${name} holds a lone surrogate, so it is not well-formed Unicode.`);
  }
  return part.replace(/[%#]/g, (separator) => (separator === '%' ? '%25' : '%23'));
}

function typeName(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
