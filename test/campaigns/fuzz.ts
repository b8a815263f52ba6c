import * as fc from 'fast-check';
import { DynamoDbEventStore, EventRegistry, type StreamId, type TableNames } from '../../src/index.js';
import { campaign } from './campaign.js';
import { CountedClient } from './fuzz/counted-client.js';
import { EVENT_CLASSES, POSITIONS, type Position } from './fuzz/events.js';
import { PayloadStream, type Payload, type Tally } from './fuzz/payload-stream.js';
import { build, describe, plan, type Plan } from './fuzz/plan.js';
import { probeSizeLimits } from './fuzz/size-limits.js';
import { VALUE_TYPES } from './fuzz/value-types.js';
import { WEBHOOK_FOLDERS, webhooksIn } from './fuzz/webhooks.js';
import { checkInLanes, type Lane } from './lanes.js';
import { createTables } from './tables.js';

interface PayloadPlan {
  readonly plan: Plan;
  readonly position: Position;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly changedAfterCall: boolean;
}

/** Payloads of one stream. */
interface Batch {
  readonly payloads: readonly PayloadPlan[];
  /** First all in one commit, which is refused when one of them is; then each for itself. */
  readonly together: boolean;
}

const BATCH = 30;

const metadataText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 });
const metadata = fc.oneof(
  { weight: 12, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.dictionary(metadataText, metadataText, { maxKeys: 3, noNullPrototype: true }) },
  {
    weight: 1,
    arbitrary: fc.dictionary(
      fc.constantFrom('userId', 'correlationId', '__proto__', 'constructor', 'metadata', 'pk', 'custom', '\uD800'),
      fc.oneof(metadataText, fc.constantFrom('', '\uDC00', 'x'.repeat(3000), undefined, 5, null, {}, 5n)),
      { maxKeys: 3, noNullPrototype: true },
    ),
  },
);

/** Checked ones are mostly refused for their type, so they are rarer. */
const anyPosition: fc.Arbitrary<Position> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.constantFrom<Position>(
      'in a field',
      'deeper in a field',
      'as key and value of a map',
      'as the fields of the event',
      'as a proxy of the event',
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom<Position>('checked as a number', 'checked as text') },
);

const batch: fc.Arbitrary<Batch> = fc.record({
  payloads: fc.array(
    fc.record({
      plan,
      position: anyPosition,
      metadata,
      changedAfterCall: fc.nat(7).map((chance) => chance === 7),
    }),
    { minLength: 1, maxLength: BATCH, size: 'max' },
  ),
  together: fc.nat(3).map((chance) => chance === 3),
});

/** Payloads of the full size per probe of the limits, which sends 9 MB. */
const PAYLOADS_PER_PROBE = 5_000;

export const fuzz = campaign({
  about:
    'Stores values of every kind, hostile ones first, and expects each back identical, or refused by name with nothing written. A failure is had again with its --seed and --path.',
  defaults: { payloads: 100_000, parallel: 6, folders: WEBHOOK_FOLDERS.join(','), path: '' },

  async run({ payloads, parallel, folders, path }, { endpoint, seed, progress }) {
    const tables = await createTables(endpoint);
    const tally: Tally = { payloads: 0, identical: 0, changedAfterCall: 0, refused: new Map() };
    const open = () => openStore(endpoint, tables.names, tally);
    const clients: CountedClient[] = [];
    const counted = async () => {
      const opened = await open();
      clients.push(opened.counted);
      return opened;
    };

    const lane = async (): Promise<Lane<Batch>> => {
      const { newStream, counted: { client } } = await counted(); // prettier-ignore
      return {
        arbitrary: batch,
        judge: async ({ payloads: plans, together }) => {
          if (path === '' && tally.payloads >= payloads) return;
          await judge(newStream(), plans.map(payloadFrom), together);
          progress(Math.min(tally.payloads, payloads), payloads);
        },
        describe: ({ payloads: plans, together }) =>
          `${together ? 'together: ' : ''}${plans.map((each) => payloadFrom(each).description).join(' AND ')}`,
        close: async () => client.destroy(),
      };
    };

    try {
      // Batches are smaller than the greatest, and the first ones small; a lane with enough payloads ends early.
      const runs = Math.ceil(payloads / (BATCH / 4));
      const violations = [...(await checkInLanes({ lanes: parallel, runs, seed, path }, lane))];
      const generated = tally.payloads;
      const { newStream, counted: own, store } = await counted();
      let webhooks = 0;
      for (const folder of folders.split(',').filter((name) => name !== '')) {
        const examples = webhooksIn(folder);
        for (let from = 0; from < examples.length; from += BATCH) {
          const some = examples.slice(from, from + BATCH).map(({ name, payload }, index): Payload => {
            const position = index % 2 === 0 ? 'in a field' : 'as the fields of the event';
            const makeEvent = () => POSITIONS[position](payload);
            return { makeEvent, metadata: {}, changedAfterCall: false, description: name };
          });
          try {
            await judge(newStream(), some, false);
          } catch (error) {
            violations.push((error as Error).message);
          }
          webhooks += some.length;
        }
      }
      for (let probe = 0; probe < payloads / PAYLOADS_PER_PROBE; probe++) {
        try {
          const stream = { aggregateType: 'fuzz', aggregateId: `limits-${probe}` };
          await probeSizeLimits(store, stream, () => own.requests);
        } catch (error) {
          violations.push(`At the limits of size: ${(error as Error).message}`);
        }
      }
      own.client.destroy();
      return {
        figures: {
          payloads: generated,
          identical: tally.identical,
          ...Object.fromEntries([...tally.refused].map(([code, count]) => [`refused ${code}`, count])),
          'changed after the call': tally.changedAfterCall,
          webhooks,
          'bytes sent': clients.reduce((sum, { bytes }) => sum + bytes, 0),
          requests: clients.reduce((sum, { requests }) => sum + requests, 0),
        },
        violations,
      };
    } finally {
      await tables.drop();
    }
  },
});

async function judge(stream: PayloadStream, payloads: readonly Payload[], together: boolean): Promise<void> {
  const stored = together && (await stream.append(payloads)) === 'stored';
  if (!stored) for (const payload of payloads) await stream.append([payload]);
  await stream.verify();
}

function payloadFrom({ plan: value, position, metadata: values, changedAfterCall }: PayloadPlan): Payload {
  const words = describe(value);
  // A value that fast-check made is made once, and needed again.
  const changes = changedAfterCall && !words.includes('anything');
  const extras = [Object.keys(values).length > 0 && 'with metadata', changes && 'changed after the call'];
  return {
    makeEvent: () => POSITIONS[position](build(value)),
    metadata: values,
    changedAfterCall: changes,
    description: [`${words} ${position}`, ...extras.filter(Boolean)].join(', '),
  };
}

let streams = 0;

async function openStore(endpoint: string, tables: TableNames, tally: Tally) {
  const counted = new CountedClient(endpoint);
  const registry = new EventRegistry({ valueTypes: VALUE_TYPES }).register(...EVENT_CLASSES);
  await registry.prepareValidation();
  const store = new DynamoDbEventStore({ client: counted.client, tables, registry, deadlineMs: 30_000 });
  const newStream = () => {
    const stream: StreamId = { aggregateType: 'fuzz', aggregateId: String(streams++) };
    return new PayloadStream(store, counted, stream, tally);
  };
  return { store, counted, newStream };
}
