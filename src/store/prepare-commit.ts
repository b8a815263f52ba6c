import { randomUUID } from 'node:crypto';
import type { StoredText } from '../event/compression.js';
import { InvalidEventError } from '../event/event-errors.js';
import type { EventMetadata } from '../event/event-metadata.js';
import type { EncodedEvent, EventRegistry } from '../event/event-registry.js';
import { MAX_KEY_BYTES, streamKey, streamName, userKey, type StreamId } from '../event/stream-id.js';
import type { Commit, StreamAppend } from './commit.js';
import { assertEventCount } from './commit-limits.js';
import { ANY_VERSION } from './expected-version.js';
import type { IdempotencyRecord } from './idempotency.js';
import { idempotencyKeyText } from './idempotency-key-text.js';
import { InvalidCommitError } from './store-errors.js';
import { uniqueWrites, type UniqueWrite } from './unique-values.js';

/** An append that has passed every check that needs no database, its events encoded. */
export interface PreparedAppend extends Omit<StreamAppend, 'metadata'> {
  readonly key: string;
  /** Of each event. */
  readonly metadata: readonly EventMetadata[];
  readonly encoded: readonly EncodedEvent[];
}

export interface PreparedCommit {
  readonly commitId: string;
  readonly appends: readonly PreparedAppend[];
  readonly idempotency: PreparedRecord | undefined;
  readonly unique: readonly UniqueWrite[];
}

export interface PreparedRecord extends IdempotencyRecord {
  readonly keyText: string;
}

/** DynamoDB's limit for a ClientRequestToken (API reference of TransactWriteItems). */
const MAX_COMMIT_ID_LENGTH = 36;

/** Checks and encodes a commit, so that bad input is refused before any request is sent. */
export function prepareCommit(commit: Commit, registry: EventRegistry): PreparedCommit {
  const commitId = commit.commitId ?? randomUUID();
  if (typeof commitId !== 'string' || !/^[\x21-\x7e]{1,36}$/.test(commitId)) {
    throw new InvalidCommitError(`commitId must be 1 to ${MAX_COMMIT_ID_LENGTH} printable ASCII characters.`);
  }
  const appends = commit.appends.filter((append) => append.events.length > 0);
  const keys = new Set<string>();
  for (const append of commit.appends) {
    const key = streamKey(append.stream);
    if (keys.has(key)) {
      throw new InvalidCommitError(`${streamName(append.stream)} stands twice in one commit: put its events together.`);
    }
    keys.add(key);
    assertExpectedVersion(append);
  }
  const idempotency = commit.idempotency && {
    ...commit.idempotency,
    ...(commit.idempotency.result !== undefined && { result: copyOf(commit.idempotency.result) }),
    keyText: idempotencyKeyText(commit.idempotency),
  };
  const unique = uniqueWrites(commit.unique ?? []);
  for (const { constraint, holdersBefore } of unique) {
    if (holdersBefore.every((key) => appends.some((append) => streamKey(append.stream) === key))) continue;
    throw new InvalidCommitError(
      `An aggregate that reserves or releases its ${constraint} has no event in the commit: apply one that says so.`,
    );
  }
  assertEventCount(
    appends.reduce((count, append) => count + append.events.length, 0),
    unique.length + (idempotency ? 1 : 0),
  );
  const shared = checkedMetadata(commit.metadata, appends);
  return {
    commitId,
    // Copies, as the caller may go on with what it handed over while this is under way.
    appends: appends.map((append) => ({
      ...append,
      stream: { ...append.stream },
      events: [...append.events],
      metadata: append.events.map((_, index) => {
        const own = append.metadata?.[index];
        return own ? { ...shared, ...checkedMetadata(own, [append]) } : shared;
      }),
      ...(append.state && { state: { ...append.state, state: copyOf(append.state.state) } }),
      ...(append.loadedHead && { loadedHead: { ...append.loadedHead } }),
      key: streamKey(append.stream),
      encoded: append.events.map((event) => registry.encode(event)),
    })),
    idempotency,
    unique,
  };
}

/** Only bytes can be changed. */
function copyOf(stored: StoredText): StoredText {
  return typeof stored === 'string' ? stored : Buffer.from(stored);
}

function assertExpectedVersion({ stream, expectedVersion, loadedHead }: StreamAppend): void {
  const isVersion = Number.isSafeInteger(expectedVersion) && Number(expectedVersion) >= 0;
  if (!isVersion && expectedVersion !== ANY_VERSION) {
    throw new InvalidCommitError(
      `The expected version of ${streamName(stream)} must be a whole number from 0 (NO_STREAM), or ANY_VERSION.`,
    );
  }
  if (loadedHead && loadedHead.version !== expectedVersion) {
    throw new InvalidCommitError(`The loaded head of ${streamName(stream)} is not of the expected version.`);
  }
}

function checkedMetadata(metadata: Partial<EventMetadata> = {}, appends: readonly StreamAppend[]): EventMetadata {
  const violations: string[] = [];
  const kept = Object.entries(metadata).filter(([, value]) => value !== undefined);
  for (const [name, value] of kept) {
    if (typeof value !== 'string') violations.push(`${name} (not a string)`);
    else if (value === '') violations.push(`${name} (empty)`);
    else if (!value.isWellFormed() || !name.isWellFormed())
      violations.push(`${name.toWellFormed()} (not well-formed Unicode)`);
    else if (name === 'userId' && appends.some(({ stream }) => userKeyBytes(stream, value) > MAX_KEY_BYTES)) {
      violations.push(`userId (with the tenant, over ${MAX_KEY_BYTES} bytes)`);
    }
  }
  if (violations.length > 0) throw new InvalidEventError('The metadata of the events', violations);
  return Object.fromEntries(kept);
}

/** Tenant and user share one index key. */
function userKeyBytes({ tenantId }: StreamId, userId: string): number {
  return Buffer.byteLength(userKey(tenantId, userId));
}
