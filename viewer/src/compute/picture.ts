/**
 * A tensor as a picture: two of its axes as rows and columns, the others fixed, reduced to as many cells as there is
 * room for. A cell of many elements shows the one of the largest size, so that an outlier never disappears.
 */

import { DTYPES } from '../../../generated/dtypes.js'
import type { ReadableTensor } from '../../../src/diff/tensors.js'
import { type Numbers, numbersOf } from '../../../src/format/numbers.js'

/** The elements of a plane: `start + row * rowStep + column * columnStep`, counted in elements. */
export interface Plane {
  readonly start: number
  readonly rows: number
  readonly columns: number
  readonly rowStep: number
  readonly columnStep: number
}

/** A rectangle of a plane, in elements. */
export interface Region {
  readonly row: number
  readonly column: number
  readonly rows: number
  readonly columns: number
}

/** What a picture is made of. */
export interface PictureRequest {
  readonly plane: Plane
  readonly region: Region
  /** Most cells in each direction. */
  readonly width: number
  readonly height: number
}

/** The cells of a picture, row by row. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** NaN if any element of the cell is NaN; otherwise the element of the largest size. */
  readonly values: Float64Array
  /** 0 for a cell without an element: the last row of a vector that is wrapped may be short. */
  readonly isSet: Uint8Array
  /** Of the rows, only one of so many was read: there is too much between the first and the last. */
  readonly everyRow: number
}

/** The first elements of a tensor, and the largest. */
export interface Extremes {
  readonly first: readonly string[]
  /** By size, the largest first. Elements that are not finite come before all. */
  readonly largest: readonly { readonly index: number; readonly value: string }[]
}

// Most bytes that a picture reads.
const MOST_BYTES = 128 * 1024 * 1024

// Bytes of a read of whole rows.
const READ = 4 * 1024 * 1024

/**
 * Makes a picture. Reads the rows that it shows; of very long ones a sample. `turn` may throw to end it. `minus`: a
 * tensor of the same shape, whose elements are subtracted.
 */
export async function pictureOf(
  tensor: ReadableTensor,
  { plane, region, width, height }: PictureRequest,
  turn: () => Promise<void>,
  minus?: ReadableTensor,
): Promise<Picture> {
  const [w, h] = [Math.min(width, region.columns), Math.min(height, region.rows)]
  const values = new Float64Array(w * h)
  const isSet = new Uint8Array(w * h)
  if (w === 0 || h === 0) return { width: w, height: h, values, isSet, everyRow: 1 }
  const { bits } = DTYPES[tensor.dtype]
  // The real parts of complex numbers.
  const step = tensor.dtype.startsWith('complex') ? 2 : 1
  const lessStep = minus?.dtype.startsWith('complex') ? 2 : 1
  const span = (region.columns - 1) * plane.columnStep + 1
  const bytesOfRow = (span * bits) / 8
  const everyRow = Math.max(
    1,
    Math.min(Math.ceil(region.rows / h), Math.ceil((region.rows * bytesOfRow) / MOST_BYTES)),
  )
  // Rows that follow each other in the file are read together.
  const areTogether = plane.rowStep <= 2 * span && everyRow === 1
  const atOnce = areTogether
    ? Math.max(1, Math.floor(READ / Math.max(1, (plane.rowStep * bits) / 8)))
    : 1
  for (let row = 0; row < region.rows; row += everyRow * atOnce) {
    await turn()
    const rows = Math.min(atOnce, region.rows - row)
    const from = plane.start + (region.row + row) * plane.rowStep + region.column * plane.columnStep
    const count = Math.min((rows - 1) * plane.rowStep + span, tensor.size - from)
    const some = await numbersAt(tensor, from, count)
    const less = minus === undefined ? undefined : await numbersAt(minus, from, count)
    for (let r = 0; r < rows; r++) {
      const y = Math.floor(((row + r) * h) / region.rows)
      for (let c = 0; c < region.columns; c++) {
        const at = r * plane.rowStep + c * plane.columnStep
        // The last row of a wrapped vector is short.
        if (at * step >= some.length) break
        const value = Number(some[at * step]) - Number(less?.[at * lessStep] ?? 0)
        const cell = y * w + Math.floor((c * w) / region.columns)
        const there = values[cell]!
        if (isSet[cell] === 0 || Number.isNaN(value) || Math.abs(value) > Math.abs(there)) {
          values[cell] = value
          isSet[cell] = 1
        }
      }
    }
  }
  return { width: w, height: h, values, isSet, everyRow }
}

// Elements of a piece: whole bytes of every dtype.
const PIECE = 1024 * 1024

const FIRST = 64
const LARGEST = 16

/** The first and the largest elements. Reads the whole tensor. `turn` may throw to end it. */
export async function extremesOf(
  tensor: ReadableTensor,
  turn: () => Promise<void>,
): Promise<Extremes> {
  const first: string[] = []
  const largest: { index: number; value: string; size: number }[] = []
  const isComplex = tensor.dtype.startsWith('complex')
  let least = Number.NEGATIVE_INFINITY
  for (let from = 0; from < tensor.size; from += PIECE) {
    await turn()
    const count = Math.min(PIECE, tensor.size - from)
    const numbers = await numbersAt(tensor, from, count)
    const textOf = (i: number): string =>
      isComplex ? complexText(numbers, i) : Object.is(numbers[i], -0) ? '-0' : String(numbers[i])
    for (let i = 0; i < count; i++) {
      const value = Number(numbers[isComplex ? 2 * i : i])
      const magnitude = isComplex ? Math.hypot(value, Number(numbers[2 * i + 1])) : Math.abs(value)
      // Also NaN, which is not less than anything.
      const size = magnitude < Number.POSITIVE_INFINITY ? magnitude : Number.POSITIVE_INFINITY
      if (first.length < FIRST) first.push(textOf(i))
      if (size <= least) continue
      const at = largest.findIndex((other) => other.size < size)
      const entry = { index: from + i, value: textOf(i), size }
      if (at === -1) largest.push(entry)
      else largest.splice(at, 0, entry)
      if (largest.length > LARGEST) largest.pop()
      if (largest.length === LARGEST) least = largest.at(-1)!.size
    }
  }
  return { first, largest: largest.map(({ index, value }) => ({ index, value })) }
}

function complexText(numbers: ArrayLike<number | bigint>, i: number): string {
  const [re, im] = [Number(numbers[2 * i]), Number(numbers[2 * i + 1])]
  return `${re} ${im < 0 || Object.is(im, -0) ? '-' : '+'} ${Math.abs(im)}i`
}

/** `count` elements from `from` on: numbers, or two for a complex number. */
async function numbersAt(
  tensor: ReadableTensor,
  from: number,
  count: number,
): Promise<ArrayLike<number | bigint>> {
  const { bits } = DTYPES[tensor.dtype]
  // Elements of six bits share bytes by four, and those of four bits by two.
  const unit = bits % 8 === 0 ? 1 : bits === 4 ? 2 : 4
  const first = Math.floor(from / unit) * unit
  const last = Math.min(tensor.size, Math.ceil((from + count) / unit) * unit)
  const bytes = new Uint8Array(Math.ceil((Math.max(0, last - first) * bits) / 8))
  const { source, offset } = tensor.segment()
  if (bytes.byteLength > 0) await source.read(bytes, offset + (first * bits) / 8)
  const numbers: Numbers = numbersOf(tensor.dtype, bytes)
  const skipped = from - first
  return skipped === 0 ? numbers : numbers.subarray(skipped, skipped + count)
}
