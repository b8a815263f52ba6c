import { AsyncLocalStorage } from 'node:async_hooks';

/** Who sends a command, for whom, and caused by what. All but the tenant goes into the metadata of its events. */
export interface CommandContextValues {
  readonly tenantId?: string;
  readonly userId?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly [custom: string]: string | undefined;
}

const storage = new AsyncLocalStorage<CommandContextValues>();

/** The context that everything called from inside sees, across awaits. */
export const CommandContext = {
  /** Runs a function with these values, on top of those already in force. */
  run<T>(values: CommandContextValues, run: () => T): T {
    return storage.run({ ...storage.getStore(), ...values }, run);
  },

  /** The values in force; empty when there are none. */
  current(): CommandContextValues {
    return storage.getStore() ?? {};
  },
} as const;
