const TERMINAL_EVERY_MS = 100;
const OTHERWISE_EVERY_MS = 2_000;
const CLEAR_LINE = '\r\x1b[K';

/** Shows how far something is: in one changing line on a terminal, and otherwise in a line every two seconds. */
export class Progress {
  private readonly timer: NodeJS.Timeout;
  private shown = false;

  constructor(
    private readonly text: () => string,
    private readonly out: NodeJS.WriteStream = process.stdout,
  ) {
    this.timer = setInterval(() => this.show(), out.isTTY ? TERMINAL_EVERY_MS : OTHERWISE_EVERY_MS);
  }

  /** Writes a line that stays. */
  print(line: string): void {
    this.clear();
    this.out.write(`${line}\n`);
  }

  end(): void {
    clearInterval(this.timer);
    this.clear();
  }

  private show(): void {
    this.clear();
    this.shown = true;
    this.out.write(this.out.isTTY ? this.text() : `${this.text()}\n`);
  }

  private clear(): void {
    if (this.shown && this.out.isTTY) this.out.write(CLEAR_LINE);
    this.shown = false;
  }
}
