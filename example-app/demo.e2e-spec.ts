import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const DEMO = fileURLToPath(new URL('../.build/example-app/demo.js', import.meta.url));
const SMALL_LOG = fileURLToPath(new URL('./permit-office/small-log.csv', import.meta.url));
const WITHOUT_JAVA = { DYNAMODB_ENDPOINT: undefined, JAVA_HOME: undefined, PATH: '/no-such-folder' };

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-'));
});

afterAll(() => rm(folder, { recursive: true }));

interface Run {
  readonly exitCode: number | null;
  readonly output: string;
}

/** Runs the built demo. */
async function runDemo(args: string[], env: NodeJS.ProcessEnv = {}, interruptAt?: string): Promise<Run> {
  const child = spawn(process.execPath, [DEMO, ...args], { env: { ...process.env, ...env }, cwd: folder });
  let output = '';
  let interrupted = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (interruptAt === undefined || interrupted || !output.includes(interruptAt)) return;
      interrupted = true;
      child.kill('SIGINT');
    });
  }
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, output };
}

describe('the demo', () => {
  it('imports the small log into DynamoDB, finds all equal and shows the longest case', async () => {
    const { exitCode, output } = await runDemo([]);

    expect(output).toContain(`DynamoDB at ${process.env.DYNAMODB_ENDPOINT}, tables demo-`);
    expect(output).toMatch(/115 commands in [\d.]+ s, [\d,]+ commands per second; 0 rows skipped\./);
    expect(output).toContain("12 cases, 115 events: counts, order, users and times equal the file's.");
    expect(output).toContain('Permit statistics of 17 steps and 11 users: equal to what is counted from the file.');
    expect(output).toContain(
      '10 cases that changed last, with their last steps: equal to what is counted from the file.',
    );
    expect(output).toContain('4 account balances and 12 statement lines: equal to what is counted from the file.');
    expect(output).toContain('The longest case is permit-2023-0071, with 17 events:');
    expect(output).toMatch(/^9 +2023-04-25 15:30:00\.581352\+02:00 +l\.visser +Permits +B1 Ask advice "Heritage"$/m);
    expect(output).toContain('As of 2023-04-25 15:30:00.581352+02:00 it was at version 9:');
    expect(exitCode).toBe(0);
  });

  it('goes on in memory without Java; names rows that it skips, and says so with its exit code', async () => {
    const lines = (await readFile(SMALL_LOG, 'utf8')).split('\n');
    lines[4] = 'not,a,row';
    lines[20] = lines[20]!.replace(/[^,]*$/, 'some day');
    await writeFile(join(folder, 'damaged.csv'), lines.join('\n'));

    const { exitCode, output } = await runDemo(['damaged.csv'], WITHOUT_JAVA);

    expect(output).toContain('DynamoDB Local needs Java');
    expect(output).toContain("storage: 'memory'");
    expect(output.match(/^Line .*$/gm)).toEqual([
      'Line 5 is skipped: it has 3 columns, and the header has 15',
      expect.stringContaining('Line 21 is skipped: time:timestamp'),
    ]);
    expect(output).toContain("12 cases, 113 events: counts, order, users and times equal the file's.");
    expect(output).toMatch(/^Permit statistics of 17 steps and 11 users: equal to what is counted from the file\.$/m);
    expect(output).not.toContain('account balances and');
    expect(output).toContain('2 rows of the file could not be stored, so the exit code is 2.');
    expect(exitCode).toBe(2);
  });

  it('says in one line why it cannot read a file', async () => {
    const { exitCode, output } = await runDemo(['missing.csv']);

    expect(output).toMatch(/missing\.csv cannot be read: there is no such file\.$/m);
    expect(exitCode).toBe(1);
  });

  it('ends in good order on Ctrl+C', async () => {
    const [header = '', row = ''] = (await readFile(SMALL_LOG, 'utf8')).split('\n');
    const path = join(folder, 'long.csv');
    await writeFile(path, [header, ...Array.from({ length: 50_000 }, () => row)].join('\n'));

    const { exitCode, output } = await runDemo([path], {}, 'Importing');

    expect(output).toContain('Interrupted');
    expect(output).not.toContain('commands per second');
    expect(exitCode).toBe(130);
  });
});
