/**
 * Checks segments, and the bytes between them, in the order of the file: what lies side by side is read
 * in one go, in long pieces of which several are on their way while one is checked.
 */

import type { CheckpointError } from './error.js'
import type { Source } from './io/source.js'
import { nextTurn, type SegmentReader, type Tick } from './segment-reader.js'

// Bytes that are read, or looked at, at once. With four on their way the page cache gives 8 GB/s on two
// cores, and pieces of 1 MiB a third less (Xeon at 2.6 GHz, Linux 6.18).
const PIECE = 4 * 1024 * 1024

// Bytes below which mapped ones are looked at where they are: a read takes a turn in another thread.
const SHORT = 1024 * 1024

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
  const checks = readers.map((reader) => reader.beginCheck())[Symbol.iterator]()
  let check = checks.next().value
  const next = (): CheckpointError | undefined => {
    const fault = check?.end()
    check = checks.next().value
    return fault
  }
  for await (const piece of piecesOf(source, start, end)) {
    let rest = piece
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

/** A range of the source in pieces, each good until the next one is asked for. */
function piecesOf(source: Source, start: number, end: number): AsyncGenerator<Uint8Array> {
  const mapped = source.peek(start, 0) !== undefined
  const together = source.readsAtOnce !== undefined && end - start >= SHORT
  return mapped && !together ? piecesInPlace(source, start, end) : piecesRead(source, start, end)
}

async function* piecesInPlace(
  source: Source,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; ) {
    const piece = source.peek(at, Math.min(PIECE, end - at))!
    yield piece
    at += piece.byteLength
    if (at < end) await nextTurn()
  }
}

/** Reads ahead, as much at once as the source can. */
async function* piecesRead(source: Source, start: number, end: number): AsyncGenerator<Uint8Array> {
  let next = start
  const ahead: { readonly bytes: Uint8Array; readonly reading: Promise<void> }[] = []
  const read = (buffer: Uint8Array): void => {
    const bytes = buffer.subarray(0, Math.min(buffer.byteLength, end - next))
    const reading = source.read(bytes, next)
    // Looked at when it has its turn.
    reading.catch(() => {})
    ahead.push({ bytes, reading })
    next += bytes.byteLength
  }
  try {
    for (let i = 0; i < (source.readsAtOnce ?? 1) && next < end; i++) {
      read(new Uint8Array(Math.min(PIECE, end - next)))
    }
    for (let first = ahead.shift(); first !== undefined; first = ahead.shift()) {
      await first.reading
      yield first.bytes
      if (next < end) read(new Uint8Array(first.bytes.buffer))
    }
  } finally {
    // Whoever gives up on the rest may close the file.
    await Promise.allSettled(ahead.map(({ reading }) => reading))
  }
}
