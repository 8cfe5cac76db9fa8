/**
 * Threads that compute the checksums of mapped files, since one thread is slower than memory. Each maps a file for
 * itself. All files share the threads. They start when they are first needed, and end after a while without work.
 */

import { availableParallelism } from 'node:os'
import type { FileSource } from '../io/file/file-source.js'
import { libc } from '../io/file/libc.js'
import type { CachedRead, Range, SourceHelper, SourceHelpers } from '../io/source.js'
import { readCachedBy, workTogether } from './shared-work.js'
import { Thread } from './thread.js'

/** A request to a thread. Lengths are in bytes. */
export type ChecksumRequest =
  /** Maps a file, under a number that was not used before. */
  | { readonly call: 'map'; readonly file: number; readonly fd: number; readonly length: number }
  /** The answer is the CRC-32 of each range. */
  | { readonly call: 'checksums'; readonly file: number; readonly ranges: readonly Range[] }
  | { readonly call: 'unmap'; readonly file: number }
  /** Asks for help with reads, at any time: see `helpToWork`. The caller keeps the descriptor open. */
  | { readonly call: 'read'; readonly fd: number; readonly list: SharedArrayBuffer }

// Bytes from which other threads are worth their start.
const WORTH_HELPERS = 256 * 1024 * 1024

// Two threads come close to the bandwidth of memory. With one core, threads gain nothing.
const COUNT = availableParallelism() === 1 ? 0 : 2

// In milliseconds. A thread takes some megabytes while it waits.
const IDLE = 10_000

let threads: readonly Thread<ChecksumRequest>[] | undefined
let ending: NodeJS.Timeout | undefined
let helpers = 0
let lastFile = 0
/** Whether threads can start; unknown until one has answered or failed. */
let available: boolean | undefined

/**
 * The threads, each when it has mapped the file. There are none if `byteLength`, the number of bytes to be verified, is
 * not worth them.
 */
export function checksumHelpers(source: FileSource, byteLength: number): SourceHelpers {
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
): Promise<SourceHelper | undefined> {
  begin()
  try {
    await source.withDescriptor((fd) => {
      thread.start()
      return thread.call({ call: 'map', file, fd, length: source.size })
    })
    available = true
  } catch {
    // A bundle without the script, or a process that may not start threads: not tried again.
    available ??= false
    end()
    return undefined
  }
  const readCached = await cachedReads(thread, source)
  return {
    ...(readCached && { readCached }),
    async checksums(ranges) {
      try {
        const pairs = ranges.map(({ start, end }) => ({ start, end }))
        return (await thread.call({ call: 'checksums', file, ranges: pairs })) as number[]
      } catch {
        // The bytes remain unverified; the caller sums them itself.
        return undefined
      }
    },
    async close() {
      await thread.call({ call: 'unmap', file }).catch(() => {})
      end()
    },
  }
}

/** Reads by this thread and another one together, if the system has the calls. */
async function cachedReads(
  thread: Thread<ChecksumRequest>,
  source: FileSource,
): Promise<SourceHelper['readCached']> {
  const { memory, readCached } = await libc()
  if (memory === undefined || readCached === undefined) return undefined
  return (reads: readonly CachedRead[]) =>
    source.useDescriptor((fd) => {
      const tasks = reads.map(({ target, position }) => ({
        target: memory.addressOf(target),
        source: BigInt(position),
        length: target.byteLength,
      }))
      return workTogether(tasks, readCachedBy(readCached, fd), (list) => {
        // If the thread has died, this one reads everything.
        thread.call({ call: 'read', fd, list }).catch(() => {})
      })
    })
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
