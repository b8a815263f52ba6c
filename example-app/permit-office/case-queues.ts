type Task = () => Promise<void>;

export interface CaseQueueLimits {
  /** How many tasks run side by side. */
  readonly running: number;
  /** How many tasks may be here, running or waiting, before `add` makes its caller wait. */
  readonly held: number;
}

/** Runs the tasks of each case one after the other, in their order, and those of different cases side by side. */
export class CaseQueues {
  /** The tasks of each case that are not done; the first of each may be running. */
  private readonly queues = new Map<string, Task[]>();
  /** Cases whose first task may start. */
  private readonly ready: string[] = [];
  private running = 0;
  private held = 0;
  private failure: { readonly error: unknown } | undefined;
  private wake = () => {};

  constructor(private readonly limits: CaseQueueLimits) {}

  /**
   * Takes a task, and resolves when there is room for the next one: one caller at a time.
   *
   * @throws what an earlier task threw; no further task is started then
   */
  async add(caseId: string, task: Task): Promise<void> {
    const queue = this.queues.get(caseId);
    if (queue) queue.push(task);
    else {
      this.queues.set(caseId, [task]);
      this.ready.push(caseId);
    }
    this.held++;
    this.start();
    while (this.held >= this.limits.held && !this.failure) await this.nextDone();
    this.throwFailure();
  }

  /**
   * Resolves when all tasks are done.
   *
   * @throws what a task threw, once those that were running are done
   */
  async finish(): Promise<void> {
    while (this.running > 0) await this.nextDone();
    this.throwFailure();
  }

  private start(): void {
    while (this.running < this.limits.running && !this.failure) {
      const caseId = this.ready.shift();
      if (caseId === undefined) return;
      this.running++;
      void this.runFirst(caseId);
    }
  }

  private async runFirst(caseId: string): Promise<void> {
    const queue = this.queues.get(caseId)!;
    try {
      await queue[0]!();
    } catch (error) {
      this.failure ??= { error };
    }
    queue.shift();
    if (queue.length > 0) this.ready.push(caseId);
    else this.queues.delete(caseId);
    this.running--;
    this.held--;
    this.start();
    this.wake();
  }

  private nextDone(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }

  private throwFailure(): void {
    if (this.failure) throw this.failure.error;
  }
}
