import { setTimeout as sleep } from 'node:timers/promises';
import type { ReadRange } from '../store/event-store.js';
import { throwIfAborted } from '../store/operation-signal.js';
import { WaitOverError, withinTime } from './within-time.js';

/** Less is no use: the attempt would be cut off in the middle, and leave its outcome unknown for nothing. */
const SHORTEST_ATTEMPT_MS = 50;

/** The moment at which an operation has to be over, or the signal by which its caller ends it before. */
export class Deadline {
  private constructor(
    private readonly at: number,
    readonly signal: AbortSignal | undefined,
  ) {}

  static after(milliseconds: number, signal?: AbortSignal): Deadline {
    return new Deadline(performance.now() + milliseconds, signal);
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

  get isAborted(): boolean {
    return this.signal?.aborted ?? false;
  }

  /** @throws OperationAbortedError */
  throwIfAborted(): void {
    throwIfAborted(this.signal);
  }

  /** Waits a random time below a ceiling that doubles with each attempt: "full jitter" (AWS Builders' Library). */
  async backoff(attempt: number): Promise<void> {
    await this.wait(Math.random() * ceilingOf(attempt));
  }

  /** Waits at least half of that ceiling, for what needs its time rather than a turn. */
  async pause(attempt: number): Promise<void> {
    await this.wait((0.5 + Math.random() / 2) * ceilingOf(attempt));
  }

  /**
   * What a promise becomes, or what `late` says when it is not settled by the deadline.
   *
   * @throws OperationAbortedError when the signal comes before
   */
  async over<T>(promise: Promise<T>, late: () => T): Promise<T> {
    try {
      return await withinTime(this.remainingMs, () => promise, this.signal);
    } catch (error) {
      if (!(error instanceof WaitOverError)) throw error;
      this.throwIfAborted();
      return late();
    }
  }

  private async wait(milliseconds: number): Promise<void> {
    const { signal } = this;
    // It rejects when the signal ends it; whoever waited looks at the signal next.
    await sleep(Math.min(this.remainingMs, milliseconds), undefined, signal && { signal }).catch(() => {});
  }
}

/** How long a read may wait: until one deadline for all of it, or anew for each next event. */
export class Wait {
  private constructor(
    private readonly renewed: () => Deadline,
    public deadline: Deadline = renewed(),
  ) {}

  static until(deadline: Deadline): Wait {
    return new Wait(() => deadline);
  }

  static of(milliseconds: number, { signal, deadlineFor = 'event' }: ReadRange = {}): Wait {
    const begin = () => Deadline.after(milliseconds, signal);
    return deadlineFor === 'read' ? Wait.until(begin()) : new Wait(begin);
  }

  /** Something has come: the wait for what comes next begins. */
  renew(): void {
    this.deadline = this.renewed();
  }
}

function ceilingOf(attempt: number): number {
  return Math.min(1000, 25 * 2 ** attempt);
}
