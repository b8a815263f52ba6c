import { tableOf, TableWriteRefusedError, type TableWrite } from '../store/table-write.js';
import { itemNumber } from './item-number.js';

/** So many lists and maps may lie in each other, the item among them (Amazon DynamoDB Developer Guide, "Quotas"). */
const MAX_DEPTH = 32;

/** What the document client sends as bytes, by the name of its class. Other typed arrays break it. */
const BYTES: readonly unknown[] = ['Uint8Array', 'Buffer', 'ArrayBuffer', 'DataView', 'Blob', 'File'];

/**
 * Refuses values that no table takes, be it that the document client of the AWS SDK does not know them, with the options
 * that the store gives it, or that DynamoDB itself has no place for them.
 *
 * @throws TableWriteRefusedError
 */
export function assertItemValues(write: TableWrite): void {
  const [content] = Object.values(write as Record<string, object>);
  try {
    for (const part of ['Item', 'Key', 'ExpressionAttributeValues']) {
      // Only the attributes count, whatever it is that has them.
      const attributes = Object.entries((Reflect.get(content!, part) as object | undefined) ?? {});
      for (const [name, value] of entriesOf(attributes)) assertValue(value, [part, name]);
    }
  } catch (error) {
    const what = error instanceof UnknownValue ? error.message : 'a value that cannot be read';
    throw new TableWriteRefusedError(
      `DynamoDB takes no write with ${what}: one of a projection has it, to table "${tableOf(write)}".`,
    );
  }
}

type Path = readonly string[];

/** A value of no kind that DynamoDB stores, and where it stands. */
class UnknownValue extends Error {
  constructor(what: string, path: Path) {
    super(`${what} at "${path.join('.')}"`);
  }
}

function assertValue(value: unknown, path: Path): void {
  if (value === null) return;
  if (Array.isArray(value)) return assertEntries(entriesOf(value.entries()), path);
  const kind = kindOf(value);
  if (kind === 'Set') return assertSet(value as Set<unknown>, path);
  if (kind === 'Map') return assertEntries(entriesOf(value as Map<unknown, unknown>), path);
  if (kind === 'Object') return assertEntries(entriesOf(withInherited(value as object)), path);
  if (kind === 'String' || kind === 'Boolean' || BYTES.includes(kind)) return;
  if (isNumeric(value) || kind === 'Number') return assertNumber(value, path);
  throw new UnknownValue(`a value of the kind ${String(kind)}`, path);
}

/** As the document client looks at it: by name, where there is a choice. */
function kindOf(value: unknown): unknown {
  if (typeof value === 'symbol' || typeof value === 'bigint') return typeof value;
  const type = (value as { constructor?: { name?: unknown } }).constructor;
  return type ? type.name : 'Object';
}

/** What is undefined is left out, and so are functions. */
function* entriesOf(entries: Iterable<readonly [unknown, unknown]>): Iterable<readonly [string, unknown]> {
  for (const [name, value] of entries) {
    if (value !== undefined && typeof value !== 'function') yield [String(name), value];
  }
}

function* withInherited(map: object): Iterable<readonly [string, unknown]> {
  // oxlint-disable-next-line guard-for-in -- the document client stores what is inherited as well
  for (const name in map) yield [name, (map as Record<string, unknown>)[name]];
}

function assertEntries(entries: Iterable<readonly [string, unknown]>, path: Path): void {
  // The part and the attribute stand for two of them: the item, and this one. It also ends what contains itself.
  if (path.length > MAX_DEPTH) throw new UnknownValue('too many lists and maps in each other', path.slice(0, 5));
  for (const [name, value] of entries) {
    if (name === '') throw new UnknownValue('an empty name', path);
    assertValue(value, [...path, name]);
  }
}

/** A Set is of the kind of its first member, and has nothing twice. */
function assertSet(set: ReadonlySet<unknown>, path: Path): void {
  const members = [...set].filter((member) => member !== undefined);
  const [first] = members;
  const texts = members.map((member) => {
    if (isNumeric(first)) return numberIn(member, typeof first === 'number', path);
    if (typeof first === 'string' && member !== null) return String(member);
    if (BYTES.includes(kindOf(first ?? {})) && isBytesOfSet(member)) return Buffer.from(member).toString('hex');
    throw new UnknownValue('a Set of what is neither texts nor numbers nor bytes', path);
  });
  if (texts.length === 0) throw new UnknownValue('an empty Set', path);
  if (new Set(texts).size < texts.length) throw new UnknownValue('a Set that has something twice', path);
}

function isBytesOfSet(member: unknown): member is Uint8Array | string {
  return ArrayBuffer.isView(member) || typeof member === 'string';
}

/** Also a NumberValue of the AWS SDK, which is known by what it does: this must not need the SDK. */
function isNumeric(value: unknown): boolean {
  const isNumberValue = typeof (value as { toAttributeValue?: unknown } | null)?.toAttributeValue === 'function';
  return typeof value === 'number' || typeof value === 'bigint' || isNumberValue;
}

function assertNumber(value: unknown, path: Path): void {
  numberIn(value, typeof value === 'number' || kindOf(value) === 'Number', path);
}

/** @param mustBeExact as the document client asks of numbers of JavaScript */
function numberIn(value: unknown, mustBeExact: boolean, path: Path): string {
  const text = value === null ? undefined : itemNumber(String(value));
  if (text === undefined) throw new UnknownValue('what is no number of DynamoDB', path);
  if (mustBeExact && Math.abs(Number(value)) > Number.MAX_SAFE_INTEGER) {
    throw new UnknownValue('a number beyond Number.MAX_SAFE_INTEGER', path);
  }
  return text;
}
