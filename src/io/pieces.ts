/**
 * Reads ranges of a source piece by piece into the library's own memory, ahead of use if the source takes several reads
 * at once.
 */

import { nextTurn } from './concurrency.js'
import { LONG_READ, type Range, type Source } from './source.js'

/**
 * Length of a piece in bytes, unless the caller chooses another. Shorter pieces leave bandwidth of the page cache
 * unused.
 */
export const PIECE = 4 * 1024 * 1024

// The cost of a short read, in bytes: it takes as long as viewing this many.
const SHORT_COST = 128 * 1024

/** A part of a range, with its bytes. */
export interface Piece<R extends Range> {
  readonly range: R
  /** Valid until the next piece. */
  readonly bytes: Uint8Array
}

/** Options for reading ranges. */
export interface PieceOptions {
  /** Most reads under way at once. By default as many as the source carries out. */
  readonly atOnce?: number
  /** Longest piece, in bytes (default: the source's longest read, or 4 MiB). */
  readonly length?: number
  /** Memory of pieces read before, which these pieces use and leave here: for many short readings in turn. */
  readonly memory?: Uint8Array[]
}

/**
 * The bytes of ranges, in order. An empty range has no piece. Reads run some pieces ahead of the piece that is given
 * out. If the source is memory, the pieces are views of it.
 */
export function piecesOf<R extends Range>(
  source: Source,
  ranges: Iterable<R>,
  {
    atOnce = Number.POSITIVE_INFINITY,
    length = source.longestRead ?? PIECE,
    memory = [],
  }: PieceOptions = {},
): AsyncGenerator<Piece<R>> {
  const cuts = cut(ranges, length)
  const { readsAtOnce } = source
  if (readsAtOnce !== undefined) {
    return ahead(cuts, Math.min(readsAtOnce, atOnce), readFrom(source), memory)
  }
  return source.view === undefined
    ? ahead(cuts, 1, readFrom(source), memory)
    : ahead(cuts, 1, lookAt(source), [])
}

/** A future piece: a part of a range, of limited length. */
interface Cut<R extends Range> extends Range {
  readonly range: R
}

/** Loads the bytes of a cut. `used` is a piece that this function returned before and that is no longer needed. */
type Load = (cut: Cut<Range>, used: Uint8Array | undefined) => Promise<Uint8Array>

function* cut<R extends Range>(ranges: Iterable<R>, length: number): Generator<Cut<R>> {
  for (const range of ranges) {
    for (let { start } = range; start < range.end; start += length) {
      yield { range, start, end: Math.min(start + length, range.end) }
    }
  }
}

async function* ahead<R extends Range>(
  cuts: Generator<Cut<R>>,
  atOnce: number,
  load: Load,
  memory: Uint8Array[],
): AsyncGenerator<Piece<R>> {
  const loading: { readonly range: R; readonly bytes: Promise<Uint8Array> }[] = []
  const begin = (): void => {
    const next = cuts.next()
    if (next.done) return
    const bytes = load(next.value, memory.pop())
    // Its error is thrown when its turn comes.
    bytes.catch(() => {})
    loading.push({ range: next.value.range, bytes })
  }
  try {
    for (let i = 0; i < atOnce; i++) begin()
    for (let first = loading.shift(); first !== undefined; first = loading.shift()) {
      const bytes = await first.bytes
      yield { range: first.range, bytes }
      memory.push(bytes)
      begin()
    }
  } finally {
    // The consumer may close the file after it stops early, so no read may be left under way.
    await Promise.allSettled(loading.map(({ bytes }) => bytes))
  }
}

function readFrom(source: Source): Load {
  const turn = turnsAfter(PIECE)
  return async ({ start, end }, used) => {
    const length = end - start
    const memory = used !== undefined && used.buffer.byteLength >= length ? used.buffer : undefined
    const bytes = new Uint8Array(memory ?? new ArrayBuffer(length), 0, length)
    // A short read settles at once, so it does not yield by itself.
    if (length < LONG_READ) await turn(SHORT_COST)
    await source.read(bytes, start)
    return bytes
  }
}

function lookAt(source: Source): Load {
  const turn = turnsAfter(PIECE)
  return async ({ start, end }) => {
    await turn(end - start)
    return source.view!(start, end - start)!
  }
}

/** Yields to the event loop once per `limit` bytes. Work that settles at once must call it. */
function turnsAfter(limit: number): (bytes: number) => Promise<void> | undefined {
  let since = 0
  return (bytes) => {
    since += bytes
    if (since < limit) return undefined
    since = 0
    return nextTurn()
  }
}
