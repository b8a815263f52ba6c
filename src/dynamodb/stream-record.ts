import { CorruptStreamError } from '../event/event-errors.js';
import type { StoredEvent, UnreadableEvent } from '../store/stored-event.js';
import { eventFrom, isSnapshotItem, type Item } from './items.js';

/** An item as DynamoDB Streams gives it: each value beside the name of its type. */
export type ItemImage = Readonly<Record<string, object>>;

/** A record of DynamoDB Streams, as `GetRecords` and Lambda have it. */
export interface StreamRecord {
  readonly eventName?: string | undefined;
  readonly dynamodb?: {
    readonly NewImage?: ItemImage | undefined;
    readonly SequenceNumber?: string | undefined;
  };
}

/**
 * The event that a record of the events table tells of; nothing for snapshots, deletions and items of others.
 *
 * @throws CorruptStreamError when the stream carries no images
 */
export function eventOfRecord({ eventName, dynamodb }: StreamRecord): StoredEvent | UnreadableEvent | undefined {
  // An event is written once, and never changed.
  if (eventName !== 'INSERT') return undefined;
  if (!dynamodb?.NewImage) {
    throw new CorruptStreamError(
      'The stream of the events table carries no images of new items: its view type must be NEW_IMAGE or NEW_AND_OLD_IMAGES.',
    );
  }
  const item = itemFromImage(dynamodb.NewImage);
  if (isSnapshotItem(item) || typeof item.eventType !== 'string') return undefined;
  return eventFrom(item);
}

/** Attributes of the types that items of this package have; those of other types are left out. */
function itemFromImage(image: ItemImage): Item {
  const item: Item = {};
  for (const [name, value] of Object.entries(image) as [
    string,
    { S?: string; N?: string; B?: string | Uint8Array },
  ][]) {
    if (value.S !== undefined) item[name] = value.S;
    else if (value.N !== undefined) item[name] = Number(value.N);
    // Lambda gives bytes in JSON, as base64.
    else if (value.B !== undefined) item[name] = typeof value.B === 'string' ? Buffer.from(value.B, 'base64') : value.B;
  }
  return item;
}
