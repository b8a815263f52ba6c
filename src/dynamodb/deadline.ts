import { setTimeout as sleep } from 'node:timers/promises';

/** Less is no use: the attempt would be cut off in the middle, and leave its outcome unknown for nothing. */
const SHORTEST_ATTEMPT_MS = 50;

/** The moment at which an operation has to be over. */
export class Deadline {
  private constructor(private readonly at: number) {}

  static after(milliseconds: number): Deadline {
    return new Deadline(performance.now() + milliseconds);
  }

  get remainingMs(): number {
    return Math.max(0, this.at - performance.now());
  }

  /** Whether there is no time for another attempt. */
  get isNear(): boolean {
    return this.remainingMs < SHORTEST_ATTEMPT_MS;
  }

  /** Half of what is left, so that a server which never answers leaves time to ask again. */
  get attemptMs(): number {
    return Math.min(this.remainingMs, Math.max(SHORTEST_ATTEMPT_MS, this.remainingMs / 2));
  }

  /** Waits a random time below a ceiling that doubles with each attempt: "full jitter" (AWS Builders' Library). */
  async backoff(attempt: number): Promise<void> {
    const ceiling = Math.min(1000, 25 * 2 ** attempt);
    await sleep(Math.min(this.remainingMs, Math.random() * ceiling));
  }
}
