/**
 * Threads for the checksums of mapped files, each mapping for itself: one makes them more slowly than
 * memory can be read. The same for all files; started when they are first needed, and ended when
 * nothing has been asked of them for a while.
 */

import { availableParallelism } from 'node:os'
import type { FileSource } from '../io/file/file-source.js'
import type { ChecksumHelper, ChecksumHelpers, Range } from '../io/source.js'
import { Thread } from './thread.js'

/** What is asked of a thread. Lengths in bytes. */
export type ChecksumRequest =
  /** Maps a file, under a number that has not been used before. */
  | { readonly call: 'map'; readonly file: number; readonly fd: number; readonly length: number }
  /** Answered with the CRC-32 of each range. */
  | { readonly call: 'checksums'; readonly file: number; readonly ranges: readonly Range[] }
  | { readonly call: 'unmap'; readonly file: number }

// Bytes from which other threads are worth their start: one takes a tenth of a second for a gigabyte of
// them in the page cache.
const WORTH_HELPERS = 256 * 1024 * 1024

// Two come close to what memory gives (Xeon at 2.6 GHz). With one core there is nothing to be gained.
const COUNT = availableParallelism() === 1 ? 0 : 2

// Milliseconds: a thread takes 30 to start, and some megabytes while it waits.
const IDLE = 10_000

let threads: readonly Thread<ChecksumRequest>[] | undefined
let ending: NodeJS.Timeout | undefined
let helpers = 0
let lastFile = 0
/** Whether threads can be had: not known until one has answered or failed. */
let available: boolean | undefined

/**
 * The threads, each when it has mapped the file; none if `byteLength`, how many bytes are to be checked, is
 * not worth them.
 */
export function checksumHelpers(source: FileSource, byteLength: number): ChecksumHelpers {
  if (available === false || byteLength < WORTH_HELPERS) return []
  threads ??= Array.from({ length: COUNT }, newThread)
  const file = ++lastFile
  return threads.map((thread) => helperOf(thread, source, file))
}

function newThread(): Thread<ChecksumRequest> {
  const script = () => new URL('./checksum-worker.js', import.meta.url)
  return new Thread(script, 'a thread that makes checksums')
}

async function helperOf(
  thread: Thread<ChecksumRequest>,
  source: FileSource,
  file: number,
): Promise<ChecksumHelper | undefined> {
  begin()
  try {
    await source.withDescriptor((fd) => {
      thread.start()
      return thread.call({ call: 'map', file, fd, length: source.size })
    })
    available = true
  } catch {
    // A bundle without the script, or a process that may not have threads: not tried again.
    available ??= false
    end()
    return undefined
  }
  return {
    async checksums(ranges) {
      try {
        const pairs = ranges.map(({ start, end }) => ({ start, end }))
        return (await thread.call({ call: 'checksums', file, ranges: pairs })) as number[]
      } catch {
        // Nothing is known of the bytes: whoever asked looks at them themselves.
        return undefined
      }
    },
    async close() {
      await thread.call({ call: 'unmap', file }).catch(() => {})
      end()
    },
  }
}

function begin(): void {
  clearTimeout(ending)
  helpers++
}

function end(): void {
  helpers--
  if (helpers > 0) return
  ending = setTimeout(() => {
    for (const thread of threads ?? []) void thread.close()
  }, IDLE).unref()
}
