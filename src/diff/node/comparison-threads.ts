/** Threads that compare ranges of two files, since comparing takes longer than reading from the page cache. */

import { availableParallelism } from 'node:os'
import { Thread } from '../../threads/thread.js'
import type { ComparisonHelpers } from '../comparison.js'
import type { ElementRange, Pair, RangeResult } from '../ranges.js'

/** A request to a thread. The answer is a RangeResult for each range. */
export interface ComparisonRequest {
  /** The descriptors, which the threads of a process share. */
  readonly files: Pair<number>
  readonly ranges: readonly ElementRange[]
}

// Bytes of both files from which other threads are worth their start.
const WORTH_THREADS = 128 * 1024 * 1024

// More threads wait for memory.
const MOST_THREADS = 4

/** Starts a thread for each core, if both sources are files. */
export const comparisonThreads: ComparisonHelpers = async ([a, b], byteLength, use) => {
  const count = Math.min(MOST_THREADS, availableParallelism())
  const [first, second] = [a.withDescriptor?.bind(a), b.withDescriptor?.bind(b)]
  if (byteLength < WORTH_THREADS || first === undefined || second === undefined) return
  const one = async (files: Pair<number>): Promise<void> => {
    const script = () => new URL('./comparison-worker.js', import.meta.url)
    const thread = new Thread<ComparisonRequest>(script, 'a thread that compares')
    try {
      thread.start()
      // Waits until the script has been loaded, so that this thread does not wait for jobs of one that cannot start.
      await thread.call({ files, ranges: [] })
      await use({
        async compare(ranges) {
          try {
            return (await thread.call({ files, ranges })) as RangeResult[]
          } catch {
            return undefined
          }
        },
      })
    } catch {
      // A bundle without the script, or a process that may not start threads: the caller's thread does all.
    } finally {
      await thread.close()
    }
  }
  try {
    await first((fd) =>
      second(async (fd2) => {
        await Promise.all(Array.from({ length: count }, () => one([fd, fd2])))
      }),
    )
  } catch {
    // A file that is closed: the caller's own read reports it.
  }
}
