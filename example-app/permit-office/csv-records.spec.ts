import { describe, expect, it } from '@jest/globals';
import { csvRecords, type CsvRecord } from './csv-records.js';
import { textLines } from './text-lines.js';

async function recordsOf(text: string | Buffer, chunkBytes = 7): Promise<CsvRecord[]> {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes);
  }
  const records: CsvRecord[] = [];
  for await (const record of csvRecords(textLines(chunks()))) records.push(record);
  return records;
}

const HEADER = { line: 1, fields: ['a', 'b'] };
const OPEN_QUOTE = 'a quote is never closed';

describe('csvRecords', () => {
  it.each([1, 2, 5, 1000])('gives records with their lines, whatever the chunks: %i bytes', async (chunkBytes) => {
    expect(await recordsOf('a,b\n1,é€😀\n\n"x, ""y""",z', chunkBytes)).toEqual([
      HEADER,
      { line: 2, fields: ['1', 'é€😀'] },
      { line: 4, fields: ['x, "y"', 'z'] },
    ]);
  });

  it('takes what Windows writes: a byte order mark, and CR LF', async () => {
    expect(await recordsOf('\uFEFFa,b\r\n1,"2"\r\n')).toEqual([HEADER, { line: 2, fields: ['1', '2'] }]);
  });

  it('lets a quoted field run over lines', async () => {
    expect(await recordsOf('a,b\n1,"two\nlines\n\nand, yes, more"\n3,4\n')).toEqual([
      HEADER,
      { line: 2, fields: ['1', 'two\nlines\n\nand, yes, more'] },
      { line: 6, fields: ['3', '4'] },
    ]);
  });

  it('loses only the line with a quote that is never closed', async () => {
    expect(await recordsOf('a,b\n1,"two\n3,4\n5,"six"\n7,8\n')).toEqual([
      HEADER,
      { line: 2, fault: OPEN_QUOTE },
      { line: 3, fields: ['3', '4'] },
      { line: 4, fields: ['5', 'six'] },
      { line: 5, fields: ['7', '8'] },
    ]);
  });

  it('finds each of several such lines, also at the end', async () => {
    expect(await recordsOf('a,b\n1,"two\n3,"four\n5,6\n7,"eight\n')).toEqual([
      HEADER,
      { line: 2, fault: OPEN_QUOTE },
      { line: 3, fault: expect.any(String) },
      { line: 4, fields: ['5', '6'] },
      { line: 5, fault: OPEN_QUOTE },
    ]);
  });

  it('gives up on a quote that stays open for too long', async () => {
    const records = await recordsOf(`a,b\n1,"two\n${'words\n'.repeat(30)}3,4\n`);

    expect(records[1]).toEqual({ line: 2, fault: OPEN_QUOTE });
    expect(records.slice(2, -1)).toEqual(
      Array.from({ length: 30 }, (_, index) => ({ line: index + 3, fields: ['words'] })),
    );
    expect(records.at(-1)).toEqual({ line: 33, fields: ['3', '4'] });
  });

  it.each(['1,tw"o', '1,"two"!'])('names the line of a misplaced quote: %s', async (line) => {
    expect(await recordsOf(`a,b\n${line}\n3,4\n`)).toEqual([
      HEADER,
      { line: 2, fault: expect.stringContaining('quote') },
      { line: 3, fields: ['3', '4'] },
    ]);
  });

  it('names the line of bytes that are no text', async () => {
    const text = Buffer.concat([Buffer.from('a,b\n1,'), Buffer.from([0xff]), Buffer.from('\n3,4\n')]);

    expect(await recordsOf(text)).toEqual([
      HEADER,
      { line: 2, fault: 'it is not UTF-8 text' },
      { line: 3, fields: ['3', '4'] },
    ]);
  });

  it('names the line that is too long to hold, and goes on behind it', async () => {
    expect(await recordsOf(`a,b\n1,${'x'.repeat(300 * 1024)}\n3,4\n`, 65536)).toEqual([
      HEADER,
      { line: 2, fault: 'the line is longer than 256 KB' },
      { line: 3, fields: ['3', '4'] },
    ]);
  });
});
