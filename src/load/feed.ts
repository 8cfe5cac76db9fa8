/**
 * Reads segments in the order of the file. Adjacent segments are read together in long pieces, several of which are
 * under way while one is processed.
 */

import { type PieceOptions, piecesOf } from '../io/pieces.js'
import type { Range, Source } from '../io/source.js'
import type { SegmentIntake, SegmentReader, Tick } from './segment.js'

/** Adjacent segments. Positions are in bytes from the start of the file. */
export interface Run<T> extends Range {
  readonly source: Source
  end: number
  readonly items: T[]
}

/** Groups items, which come in the order of the file, so that the segments of each group are adjacent. */
export function runsOf<T>(items: Iterable<T>, readerOf: (item: T) => SegmentReader): Run<T>[] {
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
export interface Part<I extends SegmentIntake> extends Range {
  readonly intakes: readonly I[]
}

/** Reads parts and hands their bytes to the intakes. Yields each intake when it is complete. */
export async function* feed<I extends SegmentIntake>(
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
