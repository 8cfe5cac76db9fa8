/**
 * Goes over segments in the order of the file, to verify or to copy them. Adjacent segments are read together in long
 * pieces, several of which are under way while one is processed. Helpers, other threads that compute checksums of the
 * same bytes, share long work.
 */

import type { CheckpointError } from '../errors.js'
import { crc32 } from '../format/checksum.js'
import { orAborted } from '../io/concurrency.js'
import { type PieceOptions, piecesOf } from '../io/pieces.js'
import type { ChecksumHelper, ChecksumHelpers, Range, Source } from '../io/source.js'
import { LONG_READ } from '../io/source.js'
import type { SegmentCheck, SegmentIntake, SegmentReader, Tick } from './segment.js'

// Bytes of one job of a thread: some milliseconds, which is the longest that the other threads wait for it in the end.
const JOB = 32 * 1024 * 1024

// Jobs that a helper has at once, so that it does not wait for the next one.
const JOBS_AT_ONCE = 2

// With helpers, this thread keeps only two pieces in memory, because helpers take memory of their own.
const WITH_HELPERS: PieceOptions = { atOnce: 2 }

// Pieces that are copied: short enough that four stay in the processor's cache between the read and the copy.
const TO_COPY: PieceOptions = { length: 1024 * 1024 }

/** A segment, and the memory that its bytes are copied to. */
export interface SegmentTarget {
  readonly reader: SegmentReader
  /** Has the same length as the segment. */
  readonly target: Uint8Array
}

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

/**
 * Whether two segments have the same `length` bytes. Each range begins at its `start`, in bytes from the start of its
 * segment.
 */
export async function haveSameBytes(
  a: { readonly reader: SegmentReader; readonly start: number },
  b: { readonly reader: SegmentReader; readonly start: number },
  length: number,
): Promise<boolean> {
  const from = ({ reader, start }: typeof a) => {
    const position = reader.offset + start
    return piecesOf(reader.source, [{ start: position, end: position + length }], TO_COPY)
  }
  const others = from(b)
  try {
    for await (const { bytes } of from(a)) {
      const other = (await others.next()).value.bytes as Uint8Array
      if (bytes.some((byte, i) => byte !== other[i])) return false
    }
    return true
  } finally {
    await others.return(undefined)
  }
}

async function* faultsOf(
  readers: Iterable<SegmentReader>,
  tick: Tick,
): AsyncGenerator<CheckpointError> {
  for (const { source, start, end, items } of runsOf(readers, (reader) => reader)) {
    const checks = items.map((reader) => reader.beginCheck())
    const helpers = source.helpers?.(end - start) ?? []
    const complete =
      helpers.length === 0
        ? feed(source, [{ start, end, intakes: checks }], tick)
        : checkTogether(source, items, checks, helpers, tick)
    for await (const check of complete) {
      const fault = check.end()
      if (fault !== undefined) yield fault
    }
  }
}

/**
 * Copies segments into their targets without verifying them. If a target was transferred or resized, throws
 * CKPT_TENSOR_CHANGED and writes nothing there.
 */
export async function copySegments(targets: Iterable<SegmentTarget>, tick?: Tick): Promise<void> {
  for (const { source, start, end, items } of runsOf(targets, ({ reader }) => reader)) {
    const intakes = items.map(({ reader, target }) => reader.beginCopy(target))
    for await (const _ of feed(source, [{ start, end, intakes }], tick, TO_COPY));
  }
}

/** Adjacent segments. Positions are in bytes from the start of the file. */
interface Run<T> extends Range {
  readonly source: Source
  end: number
  readonly items: T[]
}

function runsOf<T>(items: Iterable<T>, readerOf: (item: T) => SegmentReader): Run<T>[] {
  const runs: Run<T>[] = []
  for (const item of items) {
    const last = runs.at(-1)
    const { source, start, end } = readerOf(item)
    if (last?.end !== start) runs.push({ source, start, end, items: [item] })
    else {
      last.end = end
      last.items.push(item)
    }
  }
  return runs
}

/**
 * A range of the file, for intakes that take its bytes in order. The last intake may get only some of its bytes from
 * it.
 */
interface Part<I extends SegmentIntake> extends Range {
  readonly intakes: readonly I[]
}

/** Reads parts and hands their bytes to the intakes. Yields each intake when it is complete. */
async function* feed<I extends SegmentIntake>(
  source: Source,
  parts: readonly Part<I>[],
  tick: Tick | undefined,
  options?: PieceOptions,
): AsyncGenerator<I> {
  const next = new Map<Range, number>()
  for await (const { range, bytes } of piecesOf(source, parts, options)) {
    let i = next.get(range) ?? 0
    for (let rest = bytes; i < range.intakes.length; i++) {
      const intake = range.intakes[i]!
      const { taken, ofSegment } = intake.take(rest)
      rest = rest.subarray(taken)
      if (ofSegment > 0) tick?.(ofSegment)
      if (!intake.complete) break
      yield intake
    }
    next.set(range, i)
  }
  // Intakes without bytes, in a part without bytes.
  for (const part of parts) {
    for (const intake of part.intakes.slice(next.get(part) ?? 0)) if (intake.complete) yield intake
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
  helpers: ChecksumHelpers,
  tick: Tick | undefined,
): AsyncGenerator<SegmentCheck> {
  const { parts, jobs } = divide(readers, checks)
  const help = new Help(jobs)
  help.begin(helpers)
  try {
    for await (const _ of feed(source, parts, tick, WITH_HELPERS));
    for (const job of jobs) {
      job.reached = true
      const found = await job.helped
      const checksums = found ?? (await checksumsOf(source, job.stretches, tick))
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

  begin(helpers: ChecksumHelpers): void {
    for (const helper of helpers) void this.#use(helper)
  }

  /** Hands out no more jobs. */
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
  tick: Tick | undefined,
): Promise<number[]> {
  const checksums = new Map<Stretch, number>()
  for await (const { range, bytes } of piecesOf(source, stretches, WITH_HELPERS)) {
    checksums.set(range, crc32(bytes, checksums.get(range)))
    tick?.(bytes.byteLength)
  }
  return stretches.map((stretch) => checksums.get(stretch)!)
}
