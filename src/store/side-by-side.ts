/**
 * Does the same for each item, some at once, and gives the results in the order of the items. After a failure nothing
 * new is begun, and what is under way is waited for.
 *
 * @throws what the first of them threw
 */
export async function sideBySide<T, R>(
  items: readonly T[],
  atOnce: number,
  run: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  const next = items.entries();
  let failed = false;
  const lane = async () => {
    for (const [index, item] of next) {
      if (failed) return;
      try {
        results[index] = await run(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(atOnce, items.length) }, lane);
  await Promise.allSettled(lanes);
  await Promise.all(lanes);
  return results;
}
