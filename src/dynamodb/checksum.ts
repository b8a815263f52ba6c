import { crc32 } from 'node:zlib';
import type { StoredText } from '../event/compression.js';

/** What an event's checksum covers beside its data, in this order; a change of it would make old checksums wrong. */
const COVERED = [
  'pk',
  'sk',
  'tenantId',
  'aggregateType',
  'aggregateId',
  'eventId',
  'eventType',
  'schemaVersion',
  'eventTime',
  'encoding',
  'userId',
  'correlationId',
  'causationId',
  'commandId',
  'metadata',
  'commitId',
  'commitIndex',
  'commitSize',
] as const;

type Attributes = Readonly<Record<string, unknown>>;

/** CRC-32 over an event's item as it is stored, so that a damaged one is not taken for the event. */
export function eventChecksum(item: Attributes): number {
  const covered = JSON.stringify(COVERED.map((name) => item[name] ?? null));
  return crc32(item.eventData as StoredText, crc32(covered));
}

/** CRC-32 over a state and the place that it belongs to. */
export function stateChecksum(pk: string, version: number, snapshotVersion: number, state: StoredText): number {
  return crc32(state, crc32(JSON.stringify([pk, version, snapshotVersion])));
}
