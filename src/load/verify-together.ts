/**
 * Checks segments together with helpers, other threads that make checksums of the same bytes: long
 * segments are theirs once they are ready, and all that has to be taken apart is this thread's.
 */

import type { CheckpointError } from '../errors.js'
import { crc32 } from '../format/checksum.js'
import { piecesOf } from '../io/pieces.js'
import { type ChecksumHelper, LONG_READ, type Range, type Source } from '../io/source.js'
import type { SegmentCheck, SegmentReader, Tick } from './segment.js'

// Bytes that one thread takes at once: some milliseconds, which is how long others may have to wait for
// it in the end.
const JOB = 32 * 1024 * 1024

// Jobs that a helper has at once, so that it does not wait for the next one.
const JOBS_AT_ONCE = 2

// Of this thread, which has memory for each, beside what its helpers take: some 8 MiB each.
const READS_AT_ONCE = 2

/** What lies between long segments: short ones, and the gaps before all of them. */
interface Between extends Range {
  /** In reverse; gone when they have all that lies here. */
  readonly checks: SegmentCheck[]
}

/** Bytes of a long segment alone. */
interface Stretch extends Range {
  readonly check: SegmentCheck
}

/** Work for whichever thread comes first. */
interface Job {
  readonly stretches: readonly Stretch[]
  /** Whether this thread has come to it. */
  reached: boolean
  /** Where a helper has come first; undefined where it could not do it. */
  helped: Promise<readonly number[] | undefined> | undefined
}

/** `readers` lie side by side in `source`, and the helpers are its own. Like `checkSegments`. */
export async function* checkTogether(
  source: Source,
  helpers: readonly Promise<ChecksumHelper | undefined>[],
  readers: readonly SegmentReader[],
  tick: Tick | undefined,
): AsyncGenerator<CheckpointError> {
  const checks = readers.map((reader) => reader.beginCheck())
  const { between, jobs } = divide(readers, checks)
  const help = new Help(jobs)
  help.begin(helpers)
  try {
    for await (const { range, bytes } of piecesOf(source, between, READS_AT_ONCE)) {
      takeInTurn(range.checks, bytes, tick)
    }
    for (const job of jobs) {
      job.reached = true
      const { stretches, helped } = job
      const found = await helped
      const checksums = found ?? (await checksumsOf(source, stretches, tick))
      for (const [i, { start, end, check }] of stretches.entries()) {
        check.takeChecksum(checksums[i]!, end - start)
        if (found !== undefined) tick?.(end - start)
      }
    }
    for (const check of checks) {
      const fault = check.end()
      if (fault !== undefined) yield fault
    }
  } finally {
    help.end()
  }
}

/** What the helpers do: each asks for the next job that nobody has come to. */
class Help {
  readonly #jobs: readonly Job[]
  #next = 0
  #over = false

  constructor(jobs: readonly Job[]) {
    this.#jobs = jobs
  }

  begin(helpers: readonly Promise<ChecksumHelper | undefined>[]): void {
    for (const helper of helpers) void this.#use(helper)
  }

  /** Nothing more is asked for. */
  end(): void {
    this.#over = true
  }

  async #use(coming: Promise<ChecksumHelper | undefined>): Promise<void> {
    const helper = await coming
    if (helper === undefined) return
    await Promise.all(Array.from({ length: JOBS_AT_ONCE }, () => this.#ask(helper)))
    await helper.close()
  }

  async #ask(helper: ChecksumHelper): Promise<void> {
    for (let job = this.#take(); job !== undefined; job = this.#take()) {
      job.helped = helper.checksums(job.stretches)
      // One that fails leaves the rest to others.
      if ((await job.helped) === undefined) return
    }
  }

  #take(): Job | undefined {
    if (this.#over) return undefined
    while (this.#jobs[this.#next]?.reached) this.#next++
    return this.#jobs[this.#next++]
  }
}

function divide(readers: readonly SegmentReader[], checks: readonly SegmentCheck[]) {
  const between: Between[] = []
  const jobs: Job[] = []
  let job: Stretch[] = []
  let room = 0
  let waiting: SegmentCheck[] = []
  let { start } = readers[0]!
  for (const [i, { offset, end, byteLength }] of readers.entries()) {
    const check = checks[i]!
    waiting.push(check)
    if (byteLength < LONG_READ) continue
    between.push({ start, end: offset, checks: waiting.reverse() })
    waiting = []
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
  between.push({ start, end: readers.at(-1)!.end, checks: waiting.reverse() })
  return { between, jobs }
}

/** Gives bytes to the checks that are not complete yet, one after the other. */
function takeInTurn(checks: SegmentCheck[], bytes: Uint8Array, tick: Tick | undefined): void {
  for (let rest = bytes; rest.byteLength > 0; ) {
    const { taken, ofSegment } = checks.at(-1)!.take(rest)
    rest = rest.subarray(taken)
    if (ofSegment > 0) tick?.(ofSegment)
    if (checks.at(-1)!.complete) checks.pop()
  }
}

async function checksumsOf(
  source: Source,
  stretches: readonly Stretch[],
  tick: Tick | undefined,
): Promise<number[]> {
  const checksums = new Map<Stretch, number>()
  for await (const { range, bytes } of piecesOf(source, stretches, READS_AT_ONCE)) {
    checksums.set(range, crc32(bytes, checksums.get(range)))
    tick?.(bytes.byteLength)
  }
  return stretches.map((stretch) => checksums.get(stretch)!)
}
