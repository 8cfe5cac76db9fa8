/**
 * Verifies segments in the order of the file. Helpers, other threads that compute checksums of the same bytes, share
 * long work.
 */

import type { CheckpointError } from '../errors.js'
import { crc32 } from '../format/checksum.js'
import { orAborted } from '../io/concurrency.js'
import { type PieceOptions, piecesOf } from '../io/pieces.js'
import {
  LONG_READ,
  type Range,
  type Source,
  type SourceHelper,
  type SourceHelpers,
} from '../io/source.js'
import { feed, type Part, runsOf } from './feed.js'
import type { SegmentCheck, SegmentReader, Tick } from './segment.js'

// Bytes of one job of a thread: some milliseconds, which is the longest that the other threads wait for it in the end.
const JOB = 32 * 1024 * 1024

// Jobs that a helper has at once, so that it does not wait for the next one.
const JOBS_AT_ONCE = 2

// With helpers, this thread keeps only two pieces in memory, because helpers take memory of their own.
const WITH_HELPERS: PieceOptions = { atOnce: 2 }

/** Options of a verification. */
export interface CheckOptions {
  /** Called with the number of processed bytes of segments. */
  readonly tick?: Tick
  /** Ends the work with its reason, even during a read that never ends. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Yields an error for each damaged segment, CKPT_TENSOR_CHECKSUM or CKPT_FORMAT. Throws the error of a read, or the
 * signal's reason.
 */
export async function* checkSegments(
  readers: Iterable<SegmentReader>,
  { tick, signal }: CheckOptions = {},
): AsyncGenerator<CheckpointError> {
  signal?.throwIfAborted()
  const faults = faultsOf(readers, (bytes) => {
    signal?.throwIfAborted()
    tick?.(bytes)
  })
  try {
    for (;;) {
      const next = await orAborted(faults.next(), signal)
      if (next.done) return
      yield next.value
    }
  } finally {
    const ended = faults.return(undefined)
    // A read that hangs is not awaited.
    if (signal?.aborted) ended.catch(() => {})
    else await ended
  }
}

async function* faultsOf(
  readers: Iterable<SegmentReader>,
  tick: Tick,
): AsyncGenerator<CheckpointError> {
  const memory: Uint8Array[] = []
  for (const { source, start, end, items } of runsOf(readers, (reader) => reader)) {
    const checks = items.map((reader) => reader.beginCheck())
    const helpers = source.helpers?.(end - start) ?? []
    const complete =
      helpers.length === 0
        ? feed(source, [{ start, end, intakes: checks }], tick, { memory })
        : checkTogether(source, items, checks, helpers, memory, tick)
    for await (const check of complete) {
      const fault = check.end()
      if (fault !== undefined) yield fault
    }
  }
}

/** A range of bytes within one long segment. */
interface Stretch extends Range {
  readonly check: SegmentCheck
}

/** Work for whichever thread takes it first. */
interface Job {
  readonly stretches: readonly Stretch[]
  /** Whether this thread has reached it. */
  reached: boolean
  /** The answer of a helper that took it first; undefined if the helper failed. */
  helped: Promise<readonly number[] | undefined> | undefined
}

/**
 * Like `feed`, with helpers. Long segments go to the helpers once they are ready; this thread does the rest. Yields all
 * checks at the end, in order.
 */
async function* checkTogether(
  source: Source,
  readers: readonly SegmentReader[],
  checks: readonly SegmentCheck[],
  helpers: SourceHelpers,
  memory: Uint8Array[],
  tick: Tick | undefined,
): AsyncGenerator<SegmentCheck> {
  const { parts, jobs } = divide(readers, checks)
  const help = new Help(jobs)
  help.begin(helpers)
  try {
    for await (const _ of feed(source, parts, tick, { ...WITH_HELPERS, memory }));
    for (const job of jobs) {
      job.reached = true
      const found = await job.helped
      const checksums = found ?? (await checksumsOf(source, job.stretches, memory, tick))
      for (const [i, { start, end, check }] of job.stretches.entries()) {
        check.takeChecksum(checksums[i]!, end - start)
        if (found !== undefined) tick?.(end - start)
      }
    }
    yield* checks
  } finally {
    help.end()
  }
}

/** The work of the helpers. Each takes the next job that no thread has reached. */
class Help {
  readonly #jobs: readonly Job[]
  #next = 0
  #over = false

  constructor(jobs: readonly Job[]) {
    this.#jobs = jobs
  }

  begin(helpers: SourceHelpers): void {
    for (const helper of helpers) void this.#use(helper)
  }

  /** Hands out no more jobs. */
  end(): void {
    this.#over = true
  }

  async #use(coming: Promise<SourceHelper | undefined>): Promise<void> {
    const helper = await coming
    if (helper === undefined) return
    await Promise.all(Array.from({ length: JOBS_AT_ONCE }, () => this.#ask(helper)))
    await helper.close()
  }

  async #ask(helper: SourceHelper): Promise<void> {
    for (let job = this.#take(); job !== undefined; job = this.#take()) {
      job.helped = helper.checksums(job.stretches)
      // A helper that fails leaves the rest to the other threads.
      if ((await job.helped) === undefined) return
    }
  }

  #take(): Job | undefined {
    if (this.#over) return undefined
    while (this.#jobs[this.#next]?.reached) this.#next++
    return this.#jobs[this.#next++]
  }
}

/**
 * Divides segments into jobs for the long ones, and parts for what lies between: short segments, and the gaps before
 * all segments.
 */
function divide(readers: readonly SegmentReader[], checks: readonly SegmentCheck[]) {
  const parts: Part<SegmentCheck>[] = []
  const jobs: Job[] = []
  let job: Stretch[] = []
  let room = 0
  let intakes: SegmentCheck[] = []
  let { start } = readers[0]!
  for (const [i, { offset, end, byteLength }] of readers.entries()) {
    const check = checks[i]!
    intakes.push(check)
    if (byteLength < LONG_READ) continue
    parts.push({ start, end: offset, intakes })
    intakes = []
    start = end
    for (let at = offset; at < end; ) {
      if (room === 0) {
        job = []
        room = JOB
        jobs.push({ stretches: job, reached: false, helped: undefined })
      }
      const length = Math.min(room, end - at)
      job.push({ start: at, end: at + length, check })
      at += length
      room -= length
    }
  }
  parts.push({ start, end: readers.at(-1)!.end, intakes })
  return { parts, jobs }
}

async function checksumsOf(
  source: Source,
  stretches: readonly Stretch[],
  memory: Uint8Array[],
  tick: Tick | undefined,
): Promise<number[]> {
  const checksums = new Map<Stretch, number>()
  const options = { ...WITH_HELPERS, memory }
  for await (const { range, bytes } of piecesOf(source, stretches, options)) {
    checksums.set(range, crc32(bytes, checksums.get(range)))
    tick?.(bytes.byteLength)
  }
  return stretches.map((stretch) => checksums.get(stretch)!)
}
