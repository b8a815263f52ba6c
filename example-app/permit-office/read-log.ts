import { createReadStream } from 'node:fs';
import { csvRecords, type CsvRecord } from './csv-records.js';
import { COLUMNS, logRow, type LogRow, type UnusableRow } from './log-row.js';
import { textLines } from './text-lines.js';

/** The file as a whole cannot be read as a log. */
export class LogFileError extends Error {
  override readonly name = 'LogFileError';
}

/**
 * The rows of a log file, as it streams by; malformed ones among them, each with its line.
 *
 * @throws LogFileError while iterating, when the file cannot be read or its first line lacks a column
 */
export async function* readLog(path: string): AsyncGenerator<LogRow | UnusableRow> {
  try {
    yield* rowsOf(csvRecords(textLines(createReadStream(path))), path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new LogFileError(`${path} cannot be read: ${REASONS[code] ?? message}.`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'you may not read it',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file',
};

async function* rowsOf(records: AsyncIterable<CsvRecord>, path: string): AsyncGenerator<LogRow | UnusableRow> {
  let positions: ReadonlyMap<string, number> | undefined;
  for await (const { line, fields, fault } of records) {
    if (!positions) {
      if (fault !== undefined) throw new LogFileError(`${path} has no header: in line ${line}, ${fault}.`);
      positions = positionsOf(fields, path);
    } else if (fault !== undefined) {
      yield { line, fault };
    } else if (fields.length !== positions.size) {
      yield { line, fault: `it has ${fields.length} columns, and the header has ${positions.size}` };
    } else {
      const position = positions;
      yield logRow(line, (column) => fields[position.get(column)!]!);
    }
  }
  if (!positions) throw new LogFileError(`${path} is empty.`);
}

function positionsOf(header: readonly string[], path: string): ReadonlyMap<string, number> {
  const positions = new Map(header.map((column, position) => [column, position]));
  const missing = COLUMNS.filter((column) => !positions.has(column));
  if (missing.length > 0) throw new LogFileError(`${path} has a header without ${missing.join(', ')}.`);
  if (positions.size !== header.length) throw new LogFileError(`${path} has a header that names a column twice.`);
  return positions;
}
