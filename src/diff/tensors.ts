/** Reads two tensors side by side, a piece at a time, and compares their numbers in this thread. */

import { crc32 } from '../format/checksum.js'
import { combineCrc32 } from '../format/checksum-combine.js'
import { nextTurn } from '../io/concurrency.js'
import { piecesOf } from '../io/pieces.js'
import type { Source } from '../io/source.js'
import type { SegmentReader, Tick } from '../load/segment.js'
import type { CheckpointTensor } from '../load/state.js'
import { type Difference, DifferenceSums } from './difference.js'
import {
  bytesOfElements,
  type ElementRange,
  type Pair,
  piecesOfRange,
  RangeComparison,
  type RangeResult,
  rangesOf,
  UNITS,
  type Workspace,
} from './ranges.js'

export { Workspace } from './ranges.js'

// Bytes of a piece of a tensor that is read alone. Three quarters of a MiB stay in a processor's cache and are whole
// elements of every dtype (four of six bits are three bytes).
const PIECE = 3 * 256 * 1024

// Bytes after which the comparison yields to the event loop.
const TURN = 8 * 1024 * 1024

/** A tensor as it is read here: a CheckpointTensor, or one of a file of another format. */
export interface ReadableTensor extends Pick<CheckpointTensor, 'dtype' | 'size' | 'byteLength'> {
  /** `checksumFault` returns undefined where no checksum is known. */
  segment(): Pick<SegmentReader, 'source' | 'offset' | 'end' | 'checksumFault'>
}

/**
 * Measures the differences between the numbers of two tensors of the same shape. Every byte of both is read once and
 * verified. Calls `tick` with the bytes of both that were processed.
 */
export async function differenceOf(
  a: ReadableTensor,
  b: ReadableTensor,
  workspace: Workspace,
  tick: Tick,
): Promise<Difference> {
  const comparer = new Comparer([a.segment().source, b.segment().source], workspace)
  const ranges = [...rangesOfPair([a, b])]
  const results = await comparer.compare(ranges, tick)
  return addUp([a, b], ranges, results.values())
}

/** The ranges of all elements of two tensors. */
export function rangesOfPair([a, b]: Pair<ReadableTensor>): Generator<ElementRange> {
  return rangesOf([a.dtype, b.dtype], [a.segment().offset, b.segment().offset], a.size)
}

/**
 * Adds up the results of a pair's ranges, which `results` gives next. Throws CKPT_TENSOR_CHECKSUM if the bytes of one
 * side are damaged.
 */
export function addUp(
  [a, b]: Pair<ReadableTensor>,
  ranges: readonly ElementRange[],
  results: Iterator<RangeResult, undefined>,
): Difference {
  const sums = new DifferenceSums()
  let [first, second] = [0, 0]
  for (const { dtypes, count } of ranges) {
    const result = results.next().value!
    sums.addSums(result.sums)
    first = combineCrc32(first, result.checksums[0], bytesOfElements(dtypes[0], count))
    second = combineCrc32(second, result.checksums[1], bytesOfElements(dtypes[1], count))
  }
  const fault = a.segment().checksumFault(first) ?? b.segment().checksumFault(second)
  if (fault !== undefined) throw fault
  return sums.total
}

/** Compares ranges of two sources in this thread: while it compares a piece, the next one is read. */
export class Comparer {
  readonly #sources: Pair<Source>
  readonly #workspace: Workspace
  #since = 0

  constructor(sources: Pair<Source>, workspace: Workspace) {
    this.#sources = sources
    this.#workspace = workspace
  }

  /** The result of each range. Calls `tick` with the bytes of both sides that were processed. */
  async compare(ranges: readonly ElementRange[], tick: Tick): Promise<RangeResult[]> {
    const results: RangeResult[] = []
    for (const range of ranges) results.push(await this.#range(range, tick))
    return results
  }

  async #range(range: ElementRange, tick: Tick): Promise<RangeResult> {
    const comparison = new RangeComparison(range, this.#workspace)
    const pieces = [...piecesOfRange(range, UNITS)]
    const read = async (i: number): Promise<Pair<Uint8Array>> => {
      const { positions, lengths } = pieces[i]!
      const pair = this.#workspace.pair(i % 2, lengths)
      const [first, second] = this.#sources
      await Promise.all([first.read(pair[0], positions[0]), second.read(pair[1], positions[1])])
      return pair
    }
    let coming: Promise<Pair<Uint8Array>> | undefined = read(0)
    try {
      for (let i = 0; i < pieces.length; i++) {
        const pair: Pair<Uint8Array> = await coming!
        coming = i + 1 < pieces.length ? read(i + 1) : undefined
        // Handled when this piece is awaited.
        coming?.catch(() => {})
        comparison.take(pair)
        await this.#done(pair[0].byteLength + pair[1].byteLength, tick)
      }
    } finally {
      // The memory is reused.
      await coming?.catch(() => {})
    }
    return comparison.result
  }

  async #done(bytes: number, tick: Tick): Promise<void> {
    tick(bytes)
    this.#since += bytes
    if (this.#since < TURN) return
    this.#since = 0
    await nextTurn()
  }
}

/**
 * The pieces of a tensor, of `length` bytes, a multiple of 48 so that they are whole elements of every dtype. Throws
 * CKPT_TENSOR_CHECKSUM after the last one if they are damaged.
 */
export async function* verifiedPieces(
  tensor: ReadableTensor,
  length = PIECE,
): AsyncGenerator<Uint8Array> {
  const segment = tensor.segment()
  const { source, offset: start, end } = segment
  let crc = 0
  for await (const { bytes } of piecesOf(source, [{ start, end }], { length })) {
    crc = crc32(bytes, crc)
    yield bytes
  }
  const fault = segment.checksumFault(crc)
  if (fault !== undefined) throw fault
}
