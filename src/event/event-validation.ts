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

const OPTIONS: ValidatorOptions = { forbidUnknownValues: false, validationError: { target: true, value: false } };

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
    const lists = withListsForMaps(plain) as object;
    const instances = transformer.plainToClassFromExist(Object.create(prototype) as object, lists);
    const view = Object.create(prototype, Object.getOwnPropertyDescriptors(event)) as object;
    for (const property of nested) {
      const value = withMapsAgain(plain[property], Reflect.get(instances, property));
      Object.defineProperty(view, property, { value, configurable: true });
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

/** class-transformer loses the values of a Map, and makes instances of those of a list. */
function withListsForMaps(value: unknown): unknown {
  if (value instanceof Map) return Array.from(value.values(), withListsForMaps);
  if (Array.isArray(value)) return value.map(withListsForMaps);
  if (value instanceof Set) return new Set(Array.from(value, withListsForMaps));
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withListsForMaps(each)]));
}

/** The instances with Maps where the original has them, as rules may speak of these as well. */
function withMapsAgain(original: unknown, made: unknown): unknown {
  if (typeof made !== 'object' || made === null) return made;
  if (original instanceof Map && Array.isArray(made)) {
    return new Map(Array.from(original, ([key, value], index) => [key, withMapsAgain(value, made[index])]));
  }
  if (original instanceof Set && made instanceof Set) {
    const each = [...made] as unknown[];
    return new Set(Array.from(original, (value, index) => withMapsAgain(value, each[index])));
  }
  if (!Array.isArray(original) && !isPlain(original)) return made;
  for (const [key, value] of Object.entries(original)) {
    const instance = Reflect.get(made, key) as unknown;
    const again = withMapsAgain(value, instance);
    if (again !== instance) Reflect.set(made, key, again);
  }
  return made;
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value));
}

/** Paths and names of rules; class-validator's own messages may quote values. */
function violations(error: ValidationError, parent = ''): string[] {
  const property = nameOf(error);
  const path = parent === '' ? property : `${parent}.${property}`;
  const rules = Object.keys(error.constraints ?? {});
  return [
    ...(rules.length > 0 ? [`${path} (${rules.join(', ')})`] : []),
    ...(error.children ?? []).flatMap((child) => violations(child, path)),
  ];
}

/** A key of a Map is data: its place stands for it. */
function nameOf({ target, property }: ValidationError): string {
  return target instanceof Map ? String([...target.keys()].findIndex((key) => String(key) === property)) : property;
}
