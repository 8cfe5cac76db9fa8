/**
 * Ranges of two tensors of the same shape, in pieces: what a comparison does with the bytes, wherever they are read. A
 * range is plain data, so that a thread can get it. A tensor has the same ranges everywhere, and so the same sums, to
 * the last bit, whoever computes them.
 */

import { DTYPES } from '../../generated/dtypes.js'
import { crc32 } from '../format/checksum.js'
import type { DType } from '../format/dtype.js'
import { numbersOf } from '../format/numbers.js'
import { DifferenceSums, type Sums } from './difference.js'
import { KERNEL_START, type Kernel, makeKernel } from './kernel.js'

// Bytes of a piece of one tensor: whole elements of every dtype (four of six bits are three bytes), and whole blocks of
// sums. Pieces of both sides stay in a processor's cache.
const PIECE_UNIT = 3 * 64 * 1024

/** Units of a piece in the caller's thread: long, since each read is a call to the system's threads. */
export const UNITS = 4

// Bytes of a range of the wider tensor: some milliseconds of work.
const RANGE = 16 * PIECE_UNIT

/** The first and the second tensor. */
export type Pair<T> = readonly [first: T, second: T]

/** The same elements of two tensors. */
export interface ElementRange {
  readonly dtypes: Pair<DType>
  /** Of the first element, in bytes from the start of its file. */
  readonly positions: Pair<number>
  /** Number of elements. */
  readonly count: number
}

/** What was found in a range. */
export interface RangeResult {
  /** CRC-32 of the bytes. */
  readonly checksums: Pair<number>
  readonly sums: Sums
}

/** A piece of a range: its places in the two files, in bytes. */
interface RangePiece {
  readonly positions: Pair<number>
  readonly lengths: Pair<number>
}

/** Length in bytes of elements that fill whole bytes. */
export function bytesOfElements(dtype: DType, count: number): number {
  return Math.ceil((count * DTYPES[dtype].bits) / 8)
}

/** The elements of a piece of at most `length` bytes of the wider dtype. */
function elementsOf([a, b]: Pair<DType>, length: number): number {
  return Math.floor((length * 8) / Math.max(DTYPES[a].bits, DTYPES[b].bits))
}

/** All `count` elements of two tensors, in ranges. */
export function* rangesOf(
  dtypes: Pair<DType>,
  positions: Pair<number>,
  count: number,
): Generator<ElementRange> {
  for (const { start, length } of cut(count, elementsOf(dtypes, RANGE))) {
    yield { dtypes, positions: placesOf(dtypes, positions, start), count: length }
  }
}

/** The pieces of a range, of at most `units` times 192 KiB. */
export function* piecesOfRange(range: ElementRange, units: number): Generator<RangePiece> {
  const { dtypes, positions, count } = range
  for (const { start, length } of cut(count, elementsOf(dtypes, units * PIECE_UNIT))) {
    yield {
      positions: placesOf(dtypes, positions, start),
      lengths: [bytesOfElements(dtypes[0], length), bytesOfElements(dtypes[1], length)],
    }
  }
}

function* cut(count: number, most: number) {
  for (let start = 0; start < count; start += most) {
    yield { start, length: Math.min(most, count - start) }
  }
}

function placesOf([a, b]: Pair<DType>, [first, second]: Pair<number>, start: number): Pair<number> {
  return [first + bytesOfElements(a, start), second + bytesOfElements(b, start)]
}

/** The memory of a comparison: pieces of both tensors, and the kernel that compares them there. */
export class Workspace {
  readonly kernel: Kernel | undefined
  readonly #memory: ArrayBuffer
  readonly #start: number
  readonly #length: number

  /** Room for `pieces` pieces of each side, of `units` times 192 KiB. By default for the caller's thread. */
  constructor(units = UNITS, pieces = 2) {
    this.#length = units * PIECE_UNIT
    const total = 2 * pieces * this.#length
    this.kernel = makeKernel(total)
    this.#memory = this.kernel?.memory ?? new ArrayBuffer(total)
    this.#start = this.kernel === undefined ? 0 : KERNEL_START
  }

  /** Memory for the `i`th piece of the first and of the second tensor. */
  pair(i: number, lengths: Pair<number>): Pair<Uint8Array> {
    const at = (side: 0 | 1): Uint8Array => {
      const offset = this.#start + (2 * i + side) * this.#length
      return new Uint8Array(this.#memory, offset, lengths[side])
    }
    return [at(0), at(1)]
  }
}

/** Compares the pieces of one range, in order. */
export class RangeComparison {
  readonly #dtypes: Pair<DType>
  readonly #complex: boolean
  readonly #sums: DifferenceSums
  #checksums: Pair<number> = [0, 0]

  constructor({ dtypes }: ElementRange, { kernel }: Workspace) {
    this.#dtypes = dtypes
    this.#complex = dtypes.some((dtype) => dtype.startsWith('complex'))
    this.#sums = new DifferenceSums(kernel)
  }

  /** Adds the next piece of both tensors. */
  take([left, right]: Pair<Uint8Array>): void {
    const [first, second] = this.#checksums
    this.#checksums = [crc32(left, first), crc32(right, second)]
    const x = numbersOf(this.#dtypes[0], left)
    const y = numbersOf(this.#dtypes[1], right)
    if (!this.#complex || x.length === y.length) this.#sums.add(x, y, this.#complex)
    else if (x.length < y.length) this.#sums.add(withImaginary(x), y, true)
    else this.#sums.add(x, withImaginary(y), true)
  }

  get result(): RangeResult {
    return { checksums: this.#checksums, sums: this.#sums.sums }
  }
}

/** Converts real numbers to complex ones. */
function withImaginary(real: ArrayLike<number | bigint>): Float64Array {
  const complex = new Float64Array(real.length * 2)
  for (let i = 0; i < real.length; i++) complex[2 * i] = Number(real[i])
  return complex
}
