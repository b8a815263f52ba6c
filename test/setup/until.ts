/** Waits until something has come true; fails after ten seconds. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('It did not come true in 10 s.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
