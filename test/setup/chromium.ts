import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export class ChromiumMissingError extends Error {
  override readonly name = 'ChromiumMissingError';

  constructor() {
    super(
      'The test of the page needs Chromium: install it (e.g. Debian: apt-get install chromium), ' +
        'or set CHROMIUM_PATH to a Chromium or Chrome of your own.',
    );
  }
}

/** The browser that CHROMIUM_PATH names, or else one in a usual place. @throws ChromiumMissingError */
export function findChromium(
  path: string | undefined = process.env.CHROMIUM_PATH,
  places: readonly string[] = PLACES,
): string {
  const found = (path ? [path] : places).find((place) => existsSync(place));
  if (found === undefined) throw new ChromiumMissingError();
  return found;
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** A headless Chromium, spoken to by its DevTools Protocol over a pipe, which needs no further package. */
export class Chromium {
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  /** What scripts of pages have thrown. */
  readonly failures: unknown[] = [];
  private lastId = 0;

  private constructor(
    private readonly child: ChildProcess,
    private readonly profile: string,
  ) {
    let open = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (open + text).split('\0');
      open = messages.pop()!;
      for (const message of messages) this.receive(JSON.parse(message) as Answer);
    });
    child.once('exit', () => {
      for (const answer of this.waiting.values()) answer({ error: { message: 'Chromium has ended' } });
    });
  }

  /** @throws ChromiumMissingError */
  static async start(): Promise<Chromium> {
    const path = findChromium();
    const profile = await mkdtemp(join(tmpdir(), 'chromium-'));
    const args = [
      '--headless=new',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      // Chromium's sandbox refuses to work for root.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ];
    const child = spawn(path, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    await once(child, 'spawn');
    return new Chromium(child, profile);
  }

  /** Opens a page. */
  async open(url: string): Promise<ChromiumPage> {
    const { targetId } = await this.send<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true });
    await this.send('Runtime.enable', {}, sessionId);
    await this.send('Page.navigate', { url }, sessionId);
    return new ChromiumPage(this, sessionId);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      await this.send('Browser.close').catch(() => this.child.kill('SIGKILL'));
      await ended;
    }
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  /** @throws Error when Chromium refuses, or has ended */
  async send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.lastId;
    const answer = new Promise<Answer>((resolve) => this.waiting.set(id, resolve));
    (this.child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  private receive(answer: Answer): void {
    if (answer.method === 'Runtime.exceptionThrown') this.failures.push(answer.params);
    if (answer.id === undefined) return;
    this.waiting.get(answer.id)?.(answer);
    this.waiting.delete(answer.id);
  }
}

/** A page that is open in Chromium. */
export class ChromiumPage {
  constructor(
    private readonly chromium: Chromium,
    private readonly sessionId: string,
  ) {}

  /** The value of an expression in the page. @throws Error when it throws there */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.chromium.send<{
      result: { value: T };
      exceptionDetails?: { text: string };
    }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true }, this.sessionId);
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  }

  /** What a person would read in the elements that a selector finds, one text each. */
  async texts(selector: string): Promise<readonly string[]> {
    return this.value(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((each) => each.innerText)`);
  }
}
