import type { CommitOutcome, RecordedEvent } from '../../../src/index.js';
import { changeOf, EMPTY_ACCOUNT, nextState, Opened, type AccountEvent, type AccountState } from './account.js';
import type { Booking, BookingPlan } from './booking-plan.js';
import type { Ledger } from './ledger.js';

export interface Statement {
  readonly state: AccountState;
  readonly version: number;
}

/**
 * Compares what is stored with what each command was told. Counts for each command, as a sum over all accounts says
 * nothing of a transfer that is stored twice.
 */
export class Audit {
  readonly violations: string[] = [];
  events = 0;
  private readonly eventsOf: Uint8Array;
  private readonly commitIds = new Map<number, string>();
  private readonly eventIds = new Set<string>();

  constructor(
    private readonly plan: BookingPlan,
    private readonly ledger: Ledger,
  ) {
    this.eventsOf = new Uint8Array(plan.size);
  }

  /** Checks all events of an account, oldest first; the state is what they add up to. */
  async account(account: number, recorded: AsyncIterable<RecordedEvent>): Promise<Statement> {
    const seen = new Set<string>();
    let state = EMPTY_ACCOUNT;
    let version = 0;
    let time = 0;
    let before: AccountEvent | undefined;
    const broken = (what: string) => this.violations.push(`Account ${account}, version ${version}: ${what}`);
    for await (const { version: found, eventTime, eventId, commitId, event: instance } of recorded) {
      const event = instance as AccountEvent;
      version++;
      this.events++;
      if (found !== version) broken(`its event says version ${found}.`);
      if (eventTime.getTime() <= time) broken('its time is not later than that of the event before.');
      time = eventTime.getTime();
      if (this.eventIds.has(eventId)) broken(`its eventId ${eventId} is that of another event.`);
      this.eventIds.add(eventId);

      const { booking: number, part } = event;
      const planned = number < this.plan.size ? changesOf(this.plan.booking(number), account) : [];
      if (planned[part] !== changeOf(event)) broken(`command ${number} has no event ${part} of ${changeOf(event)}.`);
      const follows = before?.booking === number ? before.part + 1 : 0;
      if (part !== follows) broken(`event ${part} of command ${number} is out of its place.`);
      if (event instanceof Opened !== (version === 1)) broken(`${event.constructor.name} has no place here.`);
      if (seen.has(`${number}#${part}`)) broken(`event ${part} of command ${number} is stored again.`);
      else this.count(number, commitId);
      seen.add(`${number}#${part}`);

      before = event;
      state = nextState(state, event);
      if (state.balance < 0) broken(`the balance is ${state.balance}.`);
    }
    return { state, version };
  }

  private count(number: number, commitId: string): void {
    this.eventsOf[number]!++;
    const known = this.commitIds.get(number);
    if (known === undefined) this.commitIds.set(number, commitId);
    else if (known !== commitId) {
      this.violations.push(`Command ${number} is stored under the commits ${known} and ${commitId}.`);
    }
  }

  /** What the repository loads, against what the events add up to. */
  loaded(account: number, events: Statement, loaded: Statement): void {
    const told = `Account ${account}: ${JSON.stringify(loaded)} is loaded, and its events add up to`;
    const { state, version } = events;
    const same = loaded.version === version && JSON.stringify(loaded.state) === JSON.stringify(state);
    if (!same) this.violations.push(`${told} ${JSON.stringify(events)}.`);
  }

  /** What `outcomeOf` says of a commit whose outcome was unknown, once no request is under way any more. */
  settled(number: number, outcome: CommitOutcome): void {
    const { reference, askedAtOnce } = this.ledger.unknown.get(number)!;
    const stored = this.commitIds.get(number);
    const told = (when: string, said: CommitOutcome) =>
      this.violations.push(
        `Command ${number}: outcomeOf said ${said} ${when}, and it is ${stored === undefined ? 'not stored' : 'stored'}.`,
      );
    if ((outcome === 'stored') !== (stored !== undefined)) told('at the end', outcome);
    if (askedAtOnce === 'stored' && stored === undefined) told('at once', askedAtOnce);
    if (askedAtOnce === 'not-stored' && stored !== undefined) told('at once', askedAtOnce);
    if (stored !== undefined && stored !== reference.commitId) {
      this.violations.push(`Command ${number} is stored under ${stored}, its error spoke of ${reference.commitId}.`);
    }
  }

  /** After all accounts. */
  commands(): void {
    const commandOf = new Map<string, number>();
    for (const [number, commitId] of this.commitIds) {
      const other = commandOf.get(commitId);
      if (other !== undefined) this.violations.push(`The commands ${other} and ${number} share commit ${commitId}.`);
      commandOf.set(commitId, number);
    }
    for (let number = 0; number < this.plan.size; number++) {
      const outcome = this.ledger.outcomeOf(number);
      const stored = this.eventsOf[number]!;
      const whole = this.plan.booking(number).entries.reduce((sum, { changes }) => sum + changes.length, 0);
      const allowed = { acknowledged: [whole], refused: [0], unknown: [0, whole], untyped: [0, whole], missing: [] };
      if (!allowed[outcome].includes(stored as never)) {
        this.violations.push(`Command ${number} is ${outcome}, and ${stored} of its ${whole} events are stored.`);
      }
    }
  }
}

function changesOf({ entries }: Booking, account: number): readonly number[] {
  return entries.find((entry) => entry.account === account)?.changes ?? [];
}
