import type { EventStore, EventStoreErrorCode, StreamId } from '../../../src/index.js';
import type { AccountOpened } from '../../setup/bank.js';
import type { BankApplication } from './bank-application.js';
import type { EventLog } from './event-log.js';
import type { EventsTable, Truth } from './events-table.js';
import type { ItemsBeside } from './items-beside.js';

/** Something that a caller can ask of the package, to be tried under faults. */
export interface Operation {
  readonly name: string;
  /** With fewer requests, it would not be what it is meant to be: a read of several pages. */
  readonly leastRequests?: number;
  /** Lays the ground for one trial, without faults. The id is of this trial only. */
  prepare(ground: Ground, id: string): Promise<Trial>;
}

export interface Trial {
  /** Does it, under faults. */
  run(application: BankApplication): Promise<unknown>;
  /** What it answers when all is well; not compared where there is none. */
  readonly answer?: unknown;
  /** Another commit was first, so that it must be refused. */
  readonly conflicts?: boolean;
  /** The code of the error that it must end with, as it is against a rule of what is stored. */
  readonly refusedWith?: EventStoreErrorCode;
  /** It says no more than that it failed: it may have been applied. */
  readonly failsEitherWay?: boolean;
  /** Whether it was acknowledged before something else failed: then it is there, whatever the failure says. */
  acknowledged?(): boolean;
  /** What the table holds of it; none for what only reads. */
  truth?(): Promise<Truth>;
}

/** What trials stand on. */
export interface Ground {
  /** A store whose requests meet no fault. */
  readonly store: EventStore;
  readonly table: EventsTable;
  /** What commits store beside events. */
  readonly beside: ItemsBeside;
  /** What queries are asked of. */
  readonly log: EventLog;
  /** A stream of several pages; it is in the log as well. */
  readonly large: { readonly stream: StreamId; readonly events: readonly AccountOpened[] };
}
