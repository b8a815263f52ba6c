import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventMetadata } from './event-metadata.js';
import { recordedEventOf, type RecordedEvent } from './recorded-event.js';

/** Who sends a command, for whom, and caused by what. All but the tenant goes into the metadata of its events. */
export interface CommandContextValues {
  /** Given as undefined, it takes away the one that is in force: for aggregates that belong to no tenant. */
  readonly tenantId?: string | undefined;
  readonly userId?: string;
  /** Shared by everything that one request from outside sets in motion; by default the id of the first command. */
  readonly correlationId?: string;
  /** What caused the command: the id of another command or of an event, or of a message from outside. */
  readonly causationId?: string;
  /** The running command; set while its handler runs. */
  readonly commandId?: string;
  /**
   * A command that is sent with this key is carried out once, whatever it does; nested commands and sagas only see it.
   * Given as undefined, it takes away the one that is in force.
   */
  readonly idempotencyKey?: string | undefined;
  /** Trace and span as in the W3C header of this name. */
  readonly traceparent?: string;
  readonly [custom: string]: string | undefined;
}

interface Frame {
  readonly values: CommandContextValues;
  /** Whether a command is running here. */
  readonly inCommand: boolean;
  /** The key of the next command that is sent; the commands inside of it do not share it. */
  readonly unusedKey: string | undefined;
}

const storage = new AsyncLocalStorage<Frame>();

const OUTSIDE: Frame = { values: {}, inCommand: false, unusedKey: undefined };

const here = () => storage.getStore() ?? OUTSIDE;

/** The context that everything called from inside sees, across awaits. */
export const CommandContext = {
  /** Runs a function with these values, on top of those already in force. */
  run<T>(values: CommandContextValues, run: () => T): T {
    const outer = here();
    const unusedKey = 'idempotencyKey' in values ? values.idempotencyKey : outer.unusedKey;
    return storage.run({ ...outer, values: { ...outer.values, ...values }, unusedKey }, run);
  },

  /** The values in force; empty when there are none. */
  current(): CommandContextValues {
    return here().values;
  },
} as const;

/** The key that a command sent from here is to be carried out once for. */
export function unusedIdempotencyKey(): string | undefined {
  return here().unusedKey;
}

/** Whether a command is running here. */
export function isInCommand(): boolean {
  return here().inCommand;
}

/** Runs a command's handler: a nested command is caused by the one that is running here. */
export function runCommand<T>(commandId: string, run: () => T): T {
  const { values, inCommand } = here();
  const correlationId = values.correlationId ?? commandId;
  const causationId = inCommand ? values.commandId : values.causationId;
  const own = { ...values, commandId, correlationId, ...(causationId !== undefined && { causationId }) };
  return storage.run({ values: own, inCommand: true, unusedKey: undefined }, run);
}

const causes = new WeakMap<object, RecordedEvent>();

/**
 * Ties a command to the event that causes it, in a saga whose operators hold events back or put them in a row, such as
 * `concatMap`, `bufferTime` or `debounceTime`: behind those, RxJS goes on in the context of another event, and the command
 * would run for that one's tenant and user.
 *
 * @returns the command
 * @throws TypeError when the event was not stored
 */
export function causedBy<C extends object>(event: object, command: C): C {
  causes.set(command, recordedEventOf(event));
  return command;
}

export function causeOf(command: object): RecordedEvent | undefined {
  return causes.get(command);
}

/** Runs what a stored event sets in motion, with nothing in force but what the event itself says. */
export function runCausedBy<T>(recorded: RecordedEvent, run: () => T): T {
  const { commandId: _, ...metadata } = recorded.metadata;
  const { tenantId } = recorded.stream;
  const values = { ...metadata, ...(tenantId !== undefined && { tenantId }), causationId: recorded.eventId };
  return storage.run({ values, inCommand: false, unusedKey: undefined }, run);
}

/** What events that are applied in this context say of it. */
export function metadataOf(context: CommandContextValues): EventMetadata {
  const { tenantId: _, ...values } = context;
  const { commandId } = values;
  const stated = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  return commandId === undefined ? stated : { causationId: commandId, ...stated };
}
