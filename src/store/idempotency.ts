import type { StoredText } from '../event/compression.js';

/** Names one command of one kind, which is to be carried out once. */
export interface IdempotencyKey {
  readonly tenantId?: string;
  /** The kind of command: the same key may name another command of another kind. */
  readonly command: string;
  /** 1 to 255 characters, chosen by who sends the command. */
  readonly key: string;
}

/** What is kept of a command that was carried out, stored in the transaction of its events. */
export interface IdempotencyRecord extends IdempotencyKey {
  /** Tells one body of the command from another. */
  readonly fingerprint: string;
  /** What the command returned, encoded; left out when it cannot be kept. */
  readonly result?: StoredText;
  /** When the key may be used anew, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** A record as it is stored. */
export interface StoredIdempotencyRecord extends IdempotencyRecord {
  /** Of the commit that it came with. */
  readonly commitId: string;
}

/** The key alone, for errors: the rest of a record comes from payloads. */
export function keyOf({ tenantId, command, key }: IdempotencyKey): IdempotencyKey {
  return { ...(tenantId !== undefined && { tenantId }), command, key };
}
