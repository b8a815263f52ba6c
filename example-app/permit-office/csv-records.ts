import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import type { TextLine } from './text-lines.js';

/** The record that starts at a line; or what is wrong with that line. */
export type CsvRecord =
  | { readonly line: number; readonly fields: readonly string[]; readonly fault?: undefined }
  | { readonly line: number; readonly fields?: undefined; readonly fault: string };

/** A quoted field may run over several lines, within reason. */
const MAX_LINES = 20;

const OPEN_QUOTE = 'a quote is never closed';

/**
 * The CSV records of a file. A broken line costs only itself: a parser that is given the whole file would take all
 * that follows an unclosed quote for one endless field, so csv-parse gets one record at a time here.
 */
export async function* csvRecords(lines: AsyncIterable<TextLine>): AsyncGenerator<CsvRecord> {
  let width: number | undefined;
  // The lines of a record whose quote is still open.
  let open: (TextLine & { text: string })[] = [];

  /** Gives the first open line up as broken, and takes the others as lines of their own. */
  function* giveUp(): Generator<CsvRecord> {
    const [first, ...others] = open;
    open = [];
    if (first) yield { line: first.line, fault: OPEN_QUOTE };
    for (const other of others) yield* take(other);
  }

  function* take(line: TextLine): Generator<CsvRecord> {
    if (line.fault !== undefined) {
      while (open.length > 0) yield* giveUp();
      yield line;
      return;
    }
    // A quote that would swallow a whole record was left open by mistake.
    const alone = parseRecord(line.text);
    const isWhole = Array.isArray(alone) && alone.length === width;
    while (open.length === MAX_LINES || (open.length > 0 && isWhole)) yield* giveUp();
    const isFirst = open.length === 0;
    const parsed = isFirst ? alone : parseRecord([...open, line].map(({ text }) => text).join('\n'));
    if (parsed === OPEN_QUOTE) {
      open.push(line);
    } else if (typeof parsed === 'string' && !isFirst) {
      yield* giveUp();
      yield* take(line);
    } else {
      const start = open[0]?.line ?? line.line;
      open = [];
      if (typeof parsed === 'string') yield { line: start, fault: parsed };
      else if (parsed.length > 0) yield { line: start, fields: parsed };
      if (Array.isArray(parsed)) width ??= parsed.length;
    }
  }

  for await (const line of lines) yield* take(line);
  while (open.length > 0) yield* giveUp();
}

/** The fields of one record, none for an empty line; or what is wrong with it. */
function parseRecord(text: string): readonly string[] | string {
  try {
    const [record = []] = parse(text.endsWith('\r') ? text.slice(0, -1) : text, {
      record_delimiter: '\n',
      relax_column_count: true,
    }) as string[][];
    return record;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    if (error.code === 'CSV_QUOTE_NOT_CLOSED') return OPEN_QUOTE;
    // The messages of csv-parse count lines from the start of the text it was given.
    return 'a quote stands where none may stand: a field that holds quotes is quoted, and each quote in it doubled';
  }
}
