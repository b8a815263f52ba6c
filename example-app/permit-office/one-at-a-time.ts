/** Runs tasks one after the other, whoever brings them. */
export class OneAtATime {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.last.then(task);
    // A task that fails is the trouble of who brought it, and not of the next one.
    this.last = result.catch(() => {});
    return result;
  }
}
