import type { StreamRecord } from '../../src/index.js';
import { eventItem, snapshotItem, type Item } from '../../src/dynamodb/items.js';
import { streamKey } from '../../src/event/stream-id.js';
import type { StoredEvent } from '../../src/store/stored-event.js';

/** What the stream of the events table tells when an event is stored. */
export function eventRecord(event: StoredEvent): StreamRecord {
  return insertion(eventItem(event, streamKey(event.stream)));
}

/** What it tells of other things that happen beside an event: none of them is one. */
export function otherRecords(event: StoredEvent): readonly StreamRecord[] {
  const { stream, version, eventTime } = event;
  const pk = streamKey(stream);
  return [
    insertion(snapshotItem(stream, pk, { version, eventTime, snapshotVersion: 1, state: '{}' })),
    insertion({ pk, sk: version, flag: 'of somebody else' }),
    { ...eventRecord(event), eventName: 'MODIFY' },
    { eventName: 'REMOVE', dynamodb: {} },
  ];
}

function insertion(item: Item): StreamRecord {
  const image = Object.entries(item).map(([name, value]) => [
    name,
    typeof value === 'number' ? { N: String(value) } : { S: value },
  ]);
  return { eventName: 'INSERT', dynamodb: { NewImage: Object.fromEntries(image) } };
}
