import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { WriterMessage, WriterOrders } from './writer-message.js';

const { resolve } = createRequire(import.meta.url);
const WRITER = join(
  dirname(resolve('nestjs-dynamodb-event-store/package.json')),
  '.build/test/campaigns/crash-torture/writer.js',
);

const STDERR_TAIL = 2_000;

/** A process that runs `writer.ts`. */
export class WriterProcess {
  /** Resolves at the first acknowledgement, and also when the process ends before. */
  readonly atWork: Promise<unknown>;
  /** Resolves when the process is gone and all that it said has been heard. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private stderr = '';

  constructor(orders: WriterOrders, hear: (message: WriterMessage) => void) {
    this.child = spawn(process.execPath, ['--no-warnings', WRITER, JSON.stringify(orders)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // The process may be gone when its input is ended.
    this.child.stdin!.on('error', () => {});
    this.child.stderr!.on('data', (chunk: Buffer) => (this.stderr = (this.stderr + chunk).slice(-STDERR_TAIL)));
    const acknowledged = new Promise<void>((atWork) => {
      createInterface({ input: this.child.stdout! }).on('line', (line) => {
        const message = messageIn(line);
        if (!message) return;
        hear(message);
        if (message.says === 'acknowledged') atWork();
      });
    });
    this.ended = once(this.child, 'close').then(() => {});
    this.atWork = Promise.race([acknowledged, this.ended]);
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** How it ended, when it ended otherwise than with success. */
  get failure(): string | undefined {
    const { exitCode, signalCode } = this.child;
    return exitCode === 0 ? undefined : `ended with ${signalCode ?? exitCode}: ${this.stderr}`;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Lets it finish what is under way. */
  async finish(): Promise<void> {
    this.child.stdin!.end();
    await this.ended;
  }
}

/** A kill may cut the last line short: that is nothing said. */
function messageIn(line: string): WriterMessage | undefined {
  try {
    return JSON.parse(line) as WriterMessage;
  } catch {
    return undefined;
  }
}
