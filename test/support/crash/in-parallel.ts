/** Processes items, a few at a time. */

import { availableParallelism } from 'node:os'

// Most of the time goes into starting a process, and some into waiting.
const AT_ONCE = availableParallelism() + 1

/** Results are in the order of the items. After a failure no further item is begun. */
export async function inParallel<T, R>(
  items: readonly T[],
  run: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  const failures: unknown[] = []
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failures.length > 0) return
      try {
        results[index] = await run(item, index)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (failures.length > 0) throw failures[0]
  return results
}
