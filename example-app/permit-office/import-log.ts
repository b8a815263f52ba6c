import { randomUUID } from 'node:crypto';
import type { CommandBus } from '@nestjs/cqrs';
import { CommandContext, EventStoreError } from 'nestjs-dynamodb-event-store';
import { CaseQueues } from './case-queues.js';
import type { LogRow, UnusableRow } from './log-row.js';
import { RecordStep } from './record-step.js';

/** A command waits for DynamoDB most of its time, so many run side by side, each for another case. */
const LIMITS = { running: 16, held: 1_000 };

export interface ImportOptions {
  readonly commands: Pick<CommandBus, 'execute'>;
  /** Told of each row that is skipped. */
  readonly onSkipped?: (row: UnusableRow) => void;
  /** Told of each row that is stored. */
  readonly onStored?: () => void;
  /** Ends the import early: the commands that are running finish, and no other starts. */
  readonly signal?: AbortSignal;
}

export interface ImportResult {
  readonly stored: number;
  /** Lines of the rows that were skipped. */
  readonly skipped: ReadonlySet<number>;
}

/** A command failed for no fault of its row, as when the database is down. */
export class ImportFailedError extends Error {
  override readonly name = 'ImportFailedError';

  constructor(line: number, cause: unknown) {
    super(`The import stopped at line ${line}, which could not be stored: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Sends one command for each row. The rows of a case are stored in the order of the log, wherever they stand in it.
 * A malformed row is skipped; any other failure ends the import.
 *
 * @throws ImportFailedError, and what reading the rows throws, once no command is running any more
 */
export async function importLog(
  rows: AsyncIterable<LogRow | UnusableRow>,
  { commands, onSkipped, onStored, signal }: ImportOptions,
): Promise<ImportResult> {
  const correlationId = randomUUID();
  const queues = new CaseQueues(LIMITS);
  const skipped = new Set<number>();
  let stored = 0;

  function skip(row: UnusableRow): void {
    skipped.add(row.line);
    onSkipped?.(row);
  }

  async function store({ line, caseId, user, facts, step }: LogRow): Promise<void> {
    // Who did it goes into the metadata of the event, and so does whatever else is worth knowing later.
    const context = { userId: user, correlationId, logLine: String(line) };
    try {
      signal?.throwIfAborted();
      await CommandContext.run(context, () => commands.execute(new RecordStep(caseId, facts, step)));
    } catch (error) {
      if (isFaultOfRow(error)) return skip({ line, fault: error.message });
      if (signal?.aborted) throw error;
      throw new ImportFailedError(line, error);
    }
    stored++;
    onStored?.();
  }

  try {
    for await (const row of rows) {
      signal?.throwIfAborted();
      if (row.fault === undefined) await queues.add(row.caseId, () => store(row));
      else skip(row);
    }
  } finally {
    await queues.finish();
  }
  return { stored, skipped };
}

/** What the event store refuses before it writes anything, as it could not keep it. */
function isFaultOfRow(error: unknown): error is EventStoreError {
  return (
    error instanceof EventStoreError &&
    ['COMMIT_TOO_LARGE', 'INVALID_EVENT', 'INVALID_STREAM_ID', 'UNSERIALIZABLE_EVENT'].includes(error.code)
  );
}
