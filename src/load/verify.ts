/**
 * Checks segments, and the bytes between them, in the order of the file: what lies side by side is read
 * in one go, in long pieces of which several are on their way while one is checked.
 */

import type { CheckpointError } from '../errors.js'
import { piecesOf } from '../io/pieces.js'
import type { Source } from '../io/source.js'
import type { SegmentReader, Tick } from './segment.js'
import { checkTogether } from './verify-together.js'

// Bytes from which other threads are worth their start: one takes a tenth of a second for a gigabyte of
// them in the page cache.
const WORTH_HELPERS = 256 * 1024 * 1024

/** Segments that lie side by side. Positions in bytes from the start of the file. */
interface Run {
  readonly source: Source
  readonly start: number
  end: number
  readonly readers: SegmentReader[]
}

/**
 * Yields an error for each segment that is damaged, CKPT_TENSOR_CHECKSUM or CKPT_FORMAT; what keeps it
 * from reading on is thrown. `tick` is called with the bytes of segments as they are dealt with.
 */
export async function* checkSegments(
  readers: Iterable<SegmentReader>,
  tick?: Tick,
): AsyncGenerator<CheckpointError> {
  for (const run of runsOf(readers)) yield* checkRun(run, tick)
}

function runsOf(readers: Iterable<SegmentReader>): Run[] {
  const runs: Run[] = []
  for (const reader of readers) {
    const last = runs.at(-1)
    const { source, start, end } = reader
    if (last?.end !== start) runs.push({ source, start, end, readers: [reader] })
    else {
      last.end = end
      last.readers.push(reader)
    }
  }
  return runs
}

async function* checkRun(
  { source, start, end, readers }: Run,
  tick: Tick | undefined,
): AsyncGenerator<CheckpointError> {
  const helpers = end - start >= WORTH_HELPERS ? source.helpers?.() : undefined
  if (helpers !== undefined && helpers.length > 0) {
    yield* checkTogether(source, helpers, readers, tick)
    return
  }
  const checks = readers.map((reader) => reader.beginCheck())[Symbol.iterator]()
  let check = checks.next().value
  const next = (): CheckpointError | undefined => {
    const fault = check?.end()
    check = checks.next().value
    return fault
  }
  for await (const { bytes } of piecesOf(source, [{ start, end }])) {
    let rest = bytes
    while (check !== undefined) {
      const { taken, ofSegment } = check.take(rest)
      rest = rest.subarray(taken)
      if (ofSegment > 0) tick?.(ofSegment)
      if (!check.complete) break
      const fault = next()
      if (fault !== undefined) yield fault
    }
  }
  // Segments without a byte, where there is nothing else.
  while (check !== undefined) {
    const fault = next()
    if (fault !== undefined) yield fault
  }
}
