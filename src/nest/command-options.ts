import 'reflect-metadata';
import type { ModulesContainer } from '@nestjs/core';
import type { Class } from '../event/class-type.js';
import { hasPrivateFields } from '../event/private-state.js';

const CONFLICT_RETRIES = Symbol.for('nestjs-dynamodb-event-store:conflict-retries');
const IDEMPOTENT = Symbol.for('nestjs-dynamodb-event-store:idempotent');
const OWN_UNIT_OF_WORK = Symbol.for('nestjs-dynamodb-event-store:own-unit-of-work');

/** Where `@CommandHandler` of @nestjs/cqrs, 11 and 12, keeps the command's class. */
const CQRS_COMMAND_HANDLER = '__commandHandler__';

/**
 * How often this handler's command is run again after a lost race, instead of `conflictRetries` of the module.
 *
 * @throws RangeError when it is not a whole number from 0
 */
export function ConflictRetries(retries: number): ClassDecorator {
  if (!Number.isSafeInteger(retries) || retries < 0)
    throw new RangeError('@ConflictRetries needs a whole number from 0.');
  return (handler) => Reflect.defineMetadata(CONFLICT_RETRIES, retries, handler);
}

/**
 * Gives this handler's command a unit of work of its own where another command sends it: it commits when it
 * finishes, whatever becomes of the other.
 */
export function OwnUnitOfWork(): ClassDecorator {
  return (handler) => Reflect.defineMetadata(OWN_UNIT_OF_WORK, true, handler);
}

/**
 * Carries each command of this handler out once for its key: a repeat gets the first one's result, and its handler does
 * not run. A command that fails may be sent again. Without a key, here or in the `CommandContext`, every command counts.
 *
 * @param key of a command, 1 to 255 characters; two commands of one class with one key are the same command
 */
// oxlint-disable-next-line typescript/no-explicit-any -- each handler has a command class of its own
export function Idempotent<C extends object = any>(key: (command: C) => string | undefined): ClassDecorator {
  return (handler) => Reflect.defineMetadata(IDEMPOTENT, key, handler);
}

/** What the decorators on a command's handler say. */
export interface CommandOptions {
  readonly conflictRetries?: number;
  readonly ownUnitOfWork: boolean;
  readonly idempotencyKey?: (command: object) => string | undefined;
  /** Whether commands have private fields, which a copy for another run would lack. */
  readonly cannotBeCopied?: boolean;
}

/** The options of all command handlers of the application, by command class. */
export function commandOptionsIn(modules: ModulesContainer): Map<Class, CommandOptions> {
  const options = new Map<Class, CommandOptions>();
  for (const module of modules.values()) {
    for (const { instance, metatype } of module.providers.values()) {
      const handler = ((instance as object | null)?.constructor ?? metatype) as Class | null;
      const command = handler && (Reflect.getMetadata(CQRS_COMMAND_HANDLER, handler) as Class | undefined);
      if (command) options.set(command, { ...optionsOf(handler), cannotBeCopied: hasPrivateFields(command) });
    }
  }
  return options;
}

function optionsOf(handler: Class): CommandOptions {
  const conflictRetries = Reflect.getMetadata(CONFLICT_RETRIES, handler) as number | undefined;
  const idempotencyKey = Reflect.getMetadata(IDEMPOTENT, handler) as CommandOptions['idempotencyKey'];
  return {
    ...(idempotencyKey && { idempotencyKey }),
    ownUnitOfWork: Reflect.hasMetadata(OWN_UNIT_OF_WORK, handler),
    ...(conflictRetries !== undefined && { conflictRetries }),
  };
}
