import { createRequire } from 'node:module';
import type { plainToClassFromExist } from 'class-transformer';
import type { validateSync, ValidationError, ValidatorOptions } from 'class-validator';
import { classOf, eventTypeOf } from './event-type.js';
import { InvalidEventError } from './event-errors.js';
import type { Class } from './class-type.js';

/** Checks an event by the class-validator rules of its class; throws InvalidEventError. */
export type EventValidator = (event: object, eventType: string) => void;

interface ValidatorMetadata {
  readonly type: string;
  readonly propertyName: string;
}

interface ValidatorStorage {
  getTargetValidationMetadatas(
    target: Class,
    schema: string,
    always: boolean,
    strictGroups: boolean,
  ): readonly ValidatorMetadata[];
}

const OPTIONS: ValidatorOptions = { forbidUnknownValues: false, validationError: { target: false, value: false } };

/** class-validator keeps its rules in one global object, so that they can be seen without loading it. */
function rulesOf(eventClass: Class): readonly ValidatorMetadata[] {
  const storage = (globalThis as { classValidatorMetadataStorage?: ValidatorStorage }).classValidatorMetadataStorage;
  return storage?.getTargetValidationMetadatas(eventClass, '', true, false) ?? [];
}

export function hasValidationRules(eventClass: Class): boolean {
  return rulesOf(eventClass).length > 0;
}

interface ClassValidator {
  readonly validateSync: typeof validateSync;
}

interface ClassTransformer {
  readonly plainToClassFromExist: typeof plainToClassFromExist;
}

let loaded: EventValidator | undefined;

/**
 * Checks an event before it is applied, in a process whose application has rules; it is checked again before it is stored.
 *
 * @throws InvalidEventError
 */
export function validateEvent(event: object): void {
  if (!loaded || typeof event !== 'object' || event === null) return;
  const eventClass = classOf(event);
  loaded(event, eventTypeOf(eventClass)?.name ?? eventClass.name);
}

/** Loads class-validator, and class-transformer where it is installed: both are optional peers. */
export async function loadEventValidator(): Promise<EventValidator> {
  return (loaded ??= eventValidator(
    await import('class-validator'),
    await import('class-transformer').catch(() => undefined),
  ));
}

/** The same without waiting, for tests whose assertions have to fail at once. */
export function requireEventValidator(): EventValidator {
  const require = createRequire(import.meta.url);
  return (loaded ??= eventValidator(require('class-validator') as ClassValidator, transformerFrom(require)));
}

function transformerFrom(require: NodeJS.Require): ClassTransformer | undefined {
  try {
    return require('class-transformer') as ClassTransformer;
  } catch {
    return undefined;
  }
}

function eventValidator(validator: ClassValidator, transformer: ClassTransformer | undefined): EventValidator {
  /** Nested data is plain in an event, and class-validator needs instances: `@Type` of class-transformer names them. */
  function withNestedInstances(event: object, rules: readonly ValidatorMetadata[]): object {
    const nested = rules.filter((rule) => rule.type === 'nestedValidation').map((rule) => rule.propertyName);
    if (nested.length === 0 || !transformer) return event;
    const prototype = Object.getPrototypeOf(event) as object;
    const plain = Object.fromEntries(nested.map((property) => [property, Reflect.get(event, property) as unknown]));
    const instances = transformer.plainToClassFromExist(Object.create(prototype) as object, plain);
    const view = Object.create(prototype, Object.getOwnPropertyDescriptors(event)) as object;
    for (const property of nested) {
      Object.defineProperty(view, property, { value: Reflect.get(instances, property), configurable: true });
    }
    return view;
  }

  return (event, eventType) => {
    const rules = rulesOf(classOf(event));
    if (rules.length === 0) return;
    let errors: readonly ValidationError[];
    try {
      errors = validator.validateSync(withNestedInstances(event, rules), OPTIONS);
    } catch (cause) {
      throw new InvalidEventError(eventType, ['its rules could not be checked, as reading it failed'], { cause });
    }
    if (errors.length > 0)
      throw new InvalidEventError(
        eventType,
        errors.flatMap((error) => violations(error)),
      );
  };
}

/** Paths and names of rules; class-validator's own messages may quote values. */
function violations(error: ValidationError, parent = ''): string[] {
  const path = parent === '' ? error.property : `${parent}.${error.property}`;
  const rules = Object.keys(error.constraints ?? {});
  return [
    ...(rules.length > 0 ? [`${path} (${rules.join(', ')})`] : []),
    ...(error.children ?? []).flatMap((child) => violations(child, path)),
  ];
}
