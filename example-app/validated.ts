import { BadRequestException } from '@nestjs/common';
import { validateSync } from 'class-validator';

/**
 * A command that keeps the class-validator rules of its class, whoever sends it: requests have rules of their own, and
 * events are checked by the event store.
 */
export function validated<C extends object>(command: C): C {
  const errors = validateSync(command);
  if (errors.length === 0) return command;
  const properties = errors.map(({ property }) => property).join(', ');
  throw new BadRequestException(`${command.constructor.name} is not valid: ${properties}.`);
}
