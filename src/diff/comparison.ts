/**
 * Compares the numbers of pairs of tensors: ranges are work that this thread, and other threads if there are any, take
 * one after the other. Every byte of both tensors is read once and verified.
 */

import type { Source } from '../io/source.js'
import type { Tick } from '../load/segment.js'
import type { Difference } from './difference.js'
import {
  bytesOfElements,
  type ElementRange,
  type Pair,
  type RangeResult,
  Workspace,
} from './ranges.js'
import { addUp, Comparer, type ReadableTensor, rangesOfPair } from './tensors.js'

// Most bytes and ranges of a job. A message to a thread costs as much as comparing some ten kilobytes.
const JOB = 8 * 1024 * 1024
const MOST_RANGES = 512

/** Another thread that compares ranges of the same two files. */
export interface ComparisonHelper {
  /** The result of each range, or undefined if the thread failed. Never rejects. */
  compare(ranges: readonly ElementRange[]): Promise<readonly RangeResult[] | undefined>
}

/**
 * Starts threads for `byteLength` bytes of two files, calls `use` with each when it is ready, and resolves when all
 * calls have settled and the threads have ended. Never rejects; `use` must not reject either.
 */
export type ComparisonHelpers = (
  sources: Pair<Source>,
  byteLength: number,
  use: (helper: ComparisonHelper) => Promise<void>,
) => Promise<void>

/** Work for the thread that takes it first. */
interface Job {
  readonly ranges: readonly ElementRange[]
  /** Absent until the job is done. */
  results?: readonly RangeResult[]
}

/** Jobs that a thread has at once, so that it does not wait for the next one. */
const JOBS_AT_ONCE = 2

/**
 * The differences between the numbers of pairs of tensors, each pair of one shape. All pairs are of the same two files.
 * Calls `tick` with the bytes of both that were processed, which may throw.
 *
 * @throws CheckpointError CKPT_TENSOR_CHECKSUM if the bytes read are damaged; otherwise the errors of a read
 */
export async function differencesOf(
  pairs: readonly Pair<ReadableTensor>[],
  tick: Tick,
  helpers?: ComparisonHelpers,
): Promise<Difference[]> {
  const ranges = pairs.map((pair) => [...rangesOfPair(pair)])
  const queue = new Queue(jobsOf(ranges.flat()), tick)
  const sources = sourcesOf(pairs)
  let total = 0
  for (const [a, b] of pairs) total += a.byteLength + b.byteLength
  const helping = helpers?.(sources, total, (helper) => queue.help(helper))
  try {
    await queue.work(sources)
  } catch (error) {
    queue.end()
    throw error
  } finally {
    await helping
  }
  queue.throwIfFailed()
  // What a thread failed to do.
  await queue.redo(sources)
  const results = queue.results()
  return pairs.map((pair, i) => addUp(pair, ranges[i]!, results))
}

function sourcesOf([first]: readonly Pair<ReadableTensor>[]): Pair<Source> {
  const [a, b] = first!
  return [a.segment().source, b.segment().source]
}

function byteLengthOf({ dtypes: [a, b], count }: ElementRange): number {
  return bytesOfElements(a, count) + bytesOfElements(b, count)
}

function jobsOf(ranges: readonly ElementRange[]): Job[] {
  const jobs: { readonly ranges: ElementRange[] }[] = []
  let room = 0
  for (const range of ranges) {
    if (room <= 0 || jobs.at(-1)!.ranges.length === MOST_RANGES) {
      jobs.push({ ranges: [] })
      room = JOB
    }
    jobs.at(-1)!.ranges.push(range)
    room -= byteLengthOf(range)
  }
  return jobs
}

/** The jobs of a comparison. Each thread takes the next one that none has taken. */
class Queue {
  readonly #jobs: readonly Job[]
  readonly #tick: Tick
  #next = 0
  #helped = false
  #failure: { readonly error: unknown } | undefined

  constructor(jobs: readonly Job[], tick: Tick) {
    this.#jobs = jobs
    this.#tick = tick
  }

  /**
   * Does jobs in this thread until none is left, or until another thread is ready: it would only take the processor from
   * threads that do the same faster, because they read without waiting.
   */
  async work(sources: Pair<Source>): Promise<void> {
    const own = new Comparer(sources, new Workspace())
    for (let job = this.#take(); job !== undefined; job = this.#take()) {
      job.results = await own.compare(job.ranges, this.#tick)
      if (this.#helped) return
    }
  }

  /** Has another thread do jobs. */
  async help(helper: ComparisonHelper): Promise<void> {
    this.#helped = true
    const ask = async (): Promise<void> => {
      for (let job = this.#take(); job !== undefined; job = this.#take()) {
        const results = await helper.compare(job.ranges)
        if (results === undefined) return
        job.results = results
        try {
          for (const range of job.ranges) this.#tick(byteLengthOf(range))
        } catch (error) {
          this.#failure ??= { error }
          this.end()
        }
      }
    }
    await Promise.all(Array.from({ length: JOBS_AT_ONCE }, ask))
  }

  /** Hands out no more jobs. */
  end(): void {
    this.#next = this.#jobs.length
  }

  /** Throws what a call of `tick` in `help` threw. */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Does what is not done, in this thread. */
  async redo(sources: Pair<Source>): Promise<void> {
    const own = new Comparer(sources, new Workspace())
    for (const job of this.#jobs) job.results ??= await own.compare(job.ranges, this.#tick)
  }

  /** The results, in the order of the ranges. */
  *results(): Generator<RangeResult, undefined> {
    for (const { results } of this.#jobs) yield* results!
  }

  #take(): Job | undefined {
    return this.#jobs[this.#next++]
  }
}
