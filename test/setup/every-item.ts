import { deflateRawSync } from 'node:zlib';
import {
  Aggregate,
  AggregateRoot,
  EventType,
  On,
  type EventStore,
  type StreamId,
  type UniqueChange,
  type ValueType,
} from '../../src/index.js';

/** A small domain whose items are of every kind that is stored. */

@EventType('formats.Opened')
export class Opened {
  constructor(readonly owner: string) {}
}

@EventType('formats.Deposited')
export class Deposited {
  constructor(readonly amount: number) {}
}

/** Holds one value of each kind that the codec knows. */
@EventType('formats.Kept')
export class Kept {
  constructor(readonly values: object) {}
}

export class Money {
  constructor(
    readonly cents: bigint,
    readonly currency: string,
  ) {}
}

export const MONEY: ValueType<Money> = {
  name: 'formats.money',
  type: Money,
  write: ({ cents, currency }) => [cents, currency],
  read: (written) => new Money(...(written as [bigint, string])),
};

abstract class FormatAccount extends AggregateRoot {
  owner = '';
  balance = 0;
  /** How many events were applied to it in this process. */
  #applied = 0;

  get applied(): number {
    return this.#applied;
  }

  deposit(amount: number): void {
    this.apply(new Deposited(amount));
  }

  toSnapshot(): object {
    return { owner: this.owner, balance: this.balance };
  }

  fromSnapshot({ owner, balance }: { owner: string; balance: number }): void {
    this.owner = owner;
    this.balance = balance;
  }

  @On(Opened) protected onOpened({ owner }: Opened): void {
    this.#applied++;
    this.owner = owner;
  }

  @On(Deposited) protected onDeposited({ amount }: Deposited): void {
    this.#applied++;
    this.balance += amount;
  }
}

@Aggregate('format-account', { ignores: [Kept] })
export class PlainAccount extends FormatAccount {}

@Aggregate('format-inline', { snapshot: 'inline' })
export class InlineAccount extends FormatAccount {}

@Aggregate('format-snapshot', { snapshotEvery: 2 })
export class SnapshotAccount extends FormatAccount {}

export const LONG_OWNER = 'Ada Lovelace, '.repeat(200);

/** What the fixtures hold as well: a kind that is new gets an event of its own. */
export function valuesOfEveryKind(): object {
  // oxlint-disable-next-line no-sparse-arrays -- a hole is a kind of its own
  const holes = [1, , 3];
  return {
    text: 'ünï😀\u0000"\\\u2028',
    numbers: [0, -0, 1.5, 1e21, Number.MAX_SAFE_INTEGER],
    truth: [true, false, null, undefined],
    bigint: 2n ** 80n,
    date: new Date('2026-01-02T03:04:05.678Z'),
    map: new Map<unknown, unknown>([[{ key: 1 }, new Set(['a', 2n])]]),
    set: new Set([new Date(0), 'b']),
    bytes: new Uint8Array([0, 1, 254, 255]),
    buffer: Buffer.from('buffer'),
    money: new Money(1_50n, 'EUR'),
    holes,
    nullPrototype: Object.assign(Object.create(null) as object, { a: 1 }),
    ownTag: { $: 'bigint', v: 'no' },
    ownProto: JSON.parse('{"__proto__":1}') as object,
    empty: [{}, [], '', new Map(), new Set()],
  };
}

const state = (owner: string, balance: number) => JSON.stringify({ state: { owner, balance } });

/** Writes items of every kind through the store. */
export async function writeEveryItem(store: EventStore): Promise<void> {
  const metadata = { userId: 'ada', correlationId: 'cor-1', causationId: 'cau-1', commandId: 'com-1', channel: 'web' };
  const plain = (aggregateId: string, tenantId?: string): StreamId => ({
    ...(tenantId !== undefined && { tenantId }),
    aggregateType: 'format-account',
    aggregateId,
  });
  await store.append(plain('all#1', 'acme'), [new Opened('Ada')], { expectedVersion: 0, metadata });
  await store.append(plain('all#1', 'acme'), [new Deposited(5), new Deposited(7)], { expectedVersion: 1 });
  await store.append(plain('plain'), [new Opened('Bob')], { expectedVersion: 0 });
  await store.append(plain('deflated'), [new Opened(LONG_OWNER)], { expectedVersion: 0 });
  await store.append(plain('kinds'), [new Kept(valuesOfEveryKind())], { expectedVersion: 0 });

  const events = [new Opened('Cy'), new Deposited(3)];
  const inline = { aggregateType: 'format-inline', aggregateId: 'inline' };
  const inlineState = { snapshotVersion: 1, state: state('Cy', 3) };
  await store.commit({ appends: [{ stream: inline, events, expectedVersion: 0, state: inlineState }] });

  for (const tenantId of [undefined, 'acme']) {
    const stream = {
      ...(tenantId !== undefined && { tenantId }),
      aggregateType: 'format-snapshot',
      aggregateId: 'sep',
    };
    await store.append(stream, events, { expectedVersion: 0 });
    const text = state('Cy', 3);
    await store.saveSnapshot(stream, {
      version: 2,
      eventTime: 1_767_323_045_678,
      snapshotVersion: 1,
      state: tenantId === undefined ? text : deflateRawSync(text),
    });
  }

  const results = { text: '{"value":5}', bytes: deflateRawSync('{"value":6}'), none: undefined };
  for (const [key, result] of Object.entries(results)) {
    const tenantId = key === 'text' ? 'acme' : undefined;
    const stream = plain(`by-${key}`, tenantId);
    const idempotency = {
      ...(tenantId !== undefined && { tenantId }),
      command: 'formats.Open',
      key,
      fingerprint: 'f-1',
      ...(result !== undefined && { result }),
      // In the year 2100: an expired record is no record.
      expiresAt: 4_102_444_800_000,
    };
    const unique: UniqueChange = { action: 'reserve', stream, constraint: 'email', value: `${key}@example.org` };
    await store.commit({
      appends: [{ stream, events: [new Opened('Di')], expectedVersion: 0 }],
      idempotency,
      unique: [unique],
    });
  }
}
