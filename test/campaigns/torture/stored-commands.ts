import { EventStore, type AggregateRepository, type StreamId } from '../../../src/index.js';
import { Booked, Opened, type Account } from './accounts.js';

/** What stands in the store of one command, by account. */
export interface StoredCommand {
  readonly amounts: Map<string, number[]>;
  readonly commitIds: Set<string>;
}

export interface StoredState {
  readonly commands: ReadonlyMap<string, StoredCommand>;
  readonly events: number;
  readonly streams: number;
  readonly violations: readonly string[];
}

/** Reads every stream, and checks what must hold whatever was sent. */
export async function readStored(
  store: EventStore,
  accounts: AggregateRepository<Account>,
  ids: readonly string[],
): Promise<StoredState> {
  const commands = new Map<string, StoredCommand>();
  const eventIds = new Set<string>();
  const violations: string[] = [];
  let events = 0;
  let streams = 0;
  for (const id of ids) {
    const stream: StreamId = { aggregateType: 'torture-account', aggregateId: id };
    let version = 0;
    let time = 0;
    let balance = 0;
    let bookings = 0;
    for await (const recorded of store.read(stream)) {
      version++;
      events++;
      const at = `${id} version ${recorded.version}`;
      if (recorded.version !== version) violations.push(`${at} stands where version ${version} must be`);
      if (recorded.eventTime.getTime() <= time) violations.push(`${at} is not later than the event before`);
      if (eventIds.has(recorded.eventId)) violations.push(`${at} has the eventId of another event`);
      time = recorded.eventTime.getTime();
      eventIds.add(recorded.eventId);
      if (recorded.event instanceof Opened !== (version === 1)) violations.push(`${at} opens it, or does not`);
      if (!(recorded.event instanceof Booked)) continue;
      const { key, amount } = recorded.event;
      balance += amount;
      bookings++;
      if (balance < 0) violations.push(`${at} makes its balance negative`);
      const command = commands.get(key) ?? { amounts: new Map(), commitIds: new Set() };
      commands.set(key, command);
      command.amounts.set(id, [...(command.amounts.get(id) ?? []), amount]);
      command.commitIds.add(recorded.commitId);
    }
    if (version > 0) streams++;
    const loaded = await accounts.find(id);
    const shown = [loaded?.version ?? 0, loaded?.balance ?? 0, loaded?.bookings ?? 0];
    if (String(shown) !== String([version, balance, bookings])) {
      violations.push(`${id} loads as ${shown}, and its events make ${[version, balance, bookings]}`);
    }
  }
  return { commands, events, streams, violations };
}
