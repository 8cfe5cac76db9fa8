/**
 * Goes over segments in the order of the file, to check or to copy them: what lies side by side is read
 * in one go, in long pieces, of which several are on their way while one is dealt with. A long check is
 * shared with helpers, other threads that make checksums of the same bytes.
 */

import type { CheckpointError } from '../errors.js'
import { crc32 } from '../format/checksum.js'
import { orAborted } from '../io/concurrency.js'
import { type PieceOptions, piecesOf } from '../io/pieces.js'
import type { ChecksumHelper, ChecksumHelpers, Range, Source } from '../io/source.js'
import { LONG_READ } from '../io/source.js'
import type { SegmentCheck, SegmentIntake, SegmentReader, Tick } from './segment.js'

// Bytes that one thread takes at once: some milliseconds, which is how long others may have to wait for
// it in the end.
const JOB = 32 * 1024 * 1024

// Jobs that a helper has at once, so that it does not wait for the next one.
const JOBS_AT_ONCE = 2

// Next to helpers this thread has memory for two pieces: they take some 8 MiB each themselves.
const WITH_HELPERS: PieceOptions = { atOnce: 2 }

// Pieces that are copied: four of them stay in the processor's cache between the read and the copy.
const TO_COPY: PieceOptions = { length: 1024 * 1024 }

/** A segment, and where its bytes go. */
export interface SegmentTarget {
  readonly reader: SegmentReader
  /** As long as the segment. */
  readonly target: Uint8Array
}

/** What is done next to a check. */
export interface CheckOptions {
  /** Called with the bytes of segments as they are dealt with. */
  readonly tick?: Tick
  /** Ends the check with its reason, also while a read is under way that never ends. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Yields an error for each segment that is damaged, CKPT_TENSOR_CHECKSUM or CKPT_FORMAT; what keeps it
 * from reading on is thrown.
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
    // A read that hangs is not waited for.
    if (signal?.aborted) ended.catch(() => {})
    else await ended
  }
}

/** Whether two segments have the same `length` bytes, each from its `start` on, in bytes from its own. */
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
 * Copies segments, unchecked, each into its target. A target that was transferred or resized is
 * CKPT_TENSOR_CHANGED, and nothing is written there.
 */
export async function copySegments(targets: Iterable<SegmentTarget>, tick?: Tick): Promise<void> {
  for (const { source, start, end, items } of runsOf(targets, ({ reader }) => reader)) {
    const intakes = items.map(({ reader, target }) => reader.beginCopy(target))
    for await (const _ of feed(source, [{ start, end, intakes }], tick, TO_COPY));
  }
}

/** Segments that lie side by side. Positions in bytes from the start of the file. */
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

/** Bytes of the file for those that take them, one after the other. The last may get some of its own only. */
interface Part<I extends SegmentIntake> extends Range {
  readonly intakes: readonly I[]
}

/** Reads parts and hands their bytes out. Yields each intake when it is complete. */
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
  // Those without a byte, of a part without one.
  for (const part of parts) {
    for (const intake of part.intakes.slice(next.get(part) ?? 0)) if (intake.complete) yield intake
  }
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
  /** If a helper has come first: its answer, undefined if it could not do the job. */
  helped: Promise<readonly number[] | undefined> | undefined
}

/**
 * Like `feed`, with helpers: long segments are theirs once they are ready, the rest is this thread's.
 * Yields all checks in the end, in order.
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

/** What the helpers do: each asks for the next job that no thread has come to. */
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

/**
 * Long segments in jobs, and what lies between them in parts: short segments, and the gaps before all
 * of them.
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
