import { crc32 } from 'node:zlib';
import type { StoredText } from '../event/compression.js';
import type { SnapshotState } from '../store/snapshot.js';

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

/** CRC-32 over a state with its place and its time, behind which the next event's time is put. */
export function stateChecksum(
  { pk, version, eventTime }: Attributes,
  { snapshotVersion, state }: SnapshotState,
): number {
  return crc32(state, crc32(JSON.stringify([pk, version, eventTime, snapshotVersion])));
}
