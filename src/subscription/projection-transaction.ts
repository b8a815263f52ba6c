import { isDeepStrictEqual } from 'node:util';
import { TableWriteRefusedError, type TableWrite } from '../store/table-write.js';
import { copyWrite } from './write-copy.js';

type WriteOf<K extends string> = Extract<TableWrite, Record<K, unknown>> extends infer W ? W[K & keyof W] : never;

/** DynamoDB takes so many writes in a transaction (Amazon DynamoDB Developer Guide, "Quotas"). */
export const MAX_WRITES = 100;

/**
 * Gathers the writes of a projection's methods, in the form in which the document client of the AWS SDK takes them, as
 * they are when they are added. They are stored after the method has returned, together with the projection's position in the aggregate.
 */
export class ProjectionTransaction {
  private readonly gathered: TableWrite[] = [];
  private isClosed = false;

  /** @throws TableWriteRefusedError when the method has returned already, as are the others */
  put(write: WriteOf<'Put'>): void {
    this.add({ Put: write });
  }

  update(write: WriteOf<'Update'>): void {
    this.add({ Update: write });
  }

  delete(write: WriteOf<'Delete'>): void {
    this.add({ Delete: write });
  }

  conditionCheck(write: WriteOf<'ConditionCheck'>): void {
    this.add({ ConditionCheck: write });
  }

  /** What was gathered; nothing can be added any more. */
  close(): readonly TableWrite[] {
    this.isClosed = true;
    return this.gathered;
  }

  private add(write: TableWrite): void {
    if (this.isClosed) {
      throw new TableWriteRefusedError(
        'A projection added a write after its method had returned, when all were stored: await all of its work in the method.',
      );
    }
    this.gathered.push(copyWrite(write));
  }
}

/**
 * Whether two of the writes mean one item, which DynamoDB takes only once in a transaction. Of two whole items nobody
 * here knows which attributes are the key: they count as two, and DynamoDB refuses them if they are not.
 */
export function meetInOneItem(some: readonly TableWrite[], others: readonly TableWrite[]): boolean {
  return some.some((one) => others.some((other) => meet(targetOf(one), targetOf(other))));
}

interface Target {
  readonly table: string;
  /** Only an item that is put holds more than its key. */
  readonly item?: Record<string, unknown>;
  readonly key?: Record<string, unknown>;
}

function targetOf(write: TableWrite): Target {
  if ('Put' in write) return { table: write.Put.TableName, item: write.Put.Item };
  const target = 'Update' in write ? write.Update : 'Delete' in write ? write.Delete : write.ConditionCheck;
  return { table: target.TableName, key: target.Key };
}

function meet(one: Target, other: Target): boolean {
  if (one.table !== other.table) return false;
  const key = one.key ?? other.key;
  if (!key) return false;
  const [first, second] = [one.item ?? one.key!, other.item ?? other.key!];
  return Object.keys(key).every((name) => isDeepStrictEqual(first[name], second[name]));
}
