import { isUtf8 } from 'node:buffer';

/** A longer line is no row of a log, and would not fit an event. */
const MAX_LINE_BYTES = 256 * 1024;
const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = /^\uFEFF/;

/** A line of a file, counted from 1, without its newline; or what is wrong with it. */
export type TextLine =
  | { readonly line: number; readonly text: string; readonly fault?: undefined }
  | { readonly line: number; readonly fault: string };

/** The lines of a file as it streams by, with never more than one long line in memory. */
export async function* textLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<TextLine> {
  let line = 1;
  let parts: Buffer[] = [];
  let bytes = 0;
  const add = (part: Buffer) => {
    bytes += part.length;
    if (bytes <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      yield textLine(line++, parts, bytes);
      parts = [];
      bytes = 0;
      start = end + 1;
    }
    add(chunk.subarray(start));
  }
  if (bytes > 0) yield textLine(line, parts, bytes);
}

function textLine(line: number, parts: readonly Buffer[], bytes: number): TextLine {
  if (bytes > MAX_LINE_BYTES) return { line, fault: `the line is longer than ${MAX_LINE_BYTES / 1024} KB` };
  const whole = Buffer.concat(parts);
  if (!isUtf8(whole)) return { line, fault: 'it is not UTF-8 text' };
  const text = whole.toString();
  return { line, text: line === 1 ? text.replace(BYTE_ORDER_MARK, '') : text };
}
